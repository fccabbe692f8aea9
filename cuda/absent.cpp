// The whole CUDA side of a build without a CUDA backend: a refusal that says what to do instead.
#include "cuda/cuda.hpp"
#include "model/error.hpp"

namespace parity::cuda {
namespace {

constexpr const char* absence =
    "this build of paritylab has no CUDA backend, for it was made without a CUDA toolkit (cmake "
    "--preset cuda makes one with it); cpu:tf32@sm_90 computes on this machine what "
    "the TF32 "
    "tensor cores of an H100 or H200 compute, and cpu:fp32 is the twin of cuda:fp32";

}  // namespace

Availability availability() { return {{}, {}, absence}; }

std::unique_ptr<Backend> make_backend(int device) {
  throw Error(Fault::device,
              "CUDA device " + std::to_string(device) + " cannot be opened: " + absence + ".");
}

std::optional<Arch> native_arch(const Backend&) { return std::nullopt; }

}  // namespace parity::cuda
