// What a build with a CUDA toolkit knows about GPUs.
#include "cuda/backend.hpp"
#include "cuda/cuda.hpp"
#include "cuda/facts.hpp"
#include "cuda/runtime.hpp"

namespace parity::cuda {

Availability availability() {
  const std::shared_ptr<Api> api = cuda_runtime();
  Availability here = availability_of(*api);
  int driver = 0, runtime = 0;
  // Known without a driver: the runtime is part of the program.
  if (api->versions(&driver, &runtime) == success)
    here.build = "CUDA runtime " + version_text(runtime) + ", kernels for " PARITYLAB_ARCHITECTURES;
  api->clear_error();
  return here;
}

std::unique_ptr<Backend> make_backend(int device) {
  const std::shared_ptr<Api> api = cuda_runtime();
  const Availability here = availability_of(*api);
  if (!here.why.empty())
    throw Error(Fault::device,
                "CUDA device " + std::to_string(device) + " cannot be opened: " + here.why + ".");
  if (device < 0 || device >= static_cast<int>(here.devices.size()))
    throw Error(Fault::device, "there is no CUDA device " + std::to_string(device) + " among the " +
                                   std::to_string(here.devices.size()) +
                                   " of this machine; `paritylab devices` lists them.");
  if (const Device& chosen = here.devices[static_cast<std::size_t>(device)]; !chosen.why.empty())
    throw Error(Fault::device, "CUDA device " + std::to_string(device) + ", " + chosen.name +
                                   ", cannot be used: " + chosen.why + ".");
  return std::make_unique<CudaBackend>(api, device);
}

std::optional<Arch> native_arch(const Backend& backend) {
  const auto* const gpu = dynamic_cast<const CudaBackend*>(&backend);
  return gpu == nullptr ? std::nullopt : tensor_arch(gpu->session().capability());
}

}  // namespace parity::cuda
