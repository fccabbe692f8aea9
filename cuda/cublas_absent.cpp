// cuBLAS in a build whose toolkit came without its header: a refusal that says so.
#include "cuda/cublas.hpp"

namespace parity::cuda {
namespace {

class Absent final : public Cublas {
 public:
  Status open(Library* library) override {
    *library = nullptr;
    return library_absent;
  }
  Status close(Library) override { return library_absent; }
  Status version(Library, int*) override { return library_absent; }
  Status gemm(Library, const Gemm&, Stream) override { return library_absent; }
  std::string describe(Status) const override {
    return "this build of paritylab has no cuBLAS, for its CUDA toolkit came without cublas_v2.h; "
           "install the toolkit's cuBLAS and build again";
  }
};

}  // namespace

std::unique_ptr<Cublas> make_cublas() { return std::make_unique<Absent>(); }

}  // namespace parity::cuda
