#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/backend.hpp"

namespace parity::cuda {

/// One GPU as `paritylab devices` lists it.
struct Device {
  int number = 0;
  std::string name;  ///< "NVIDIA H200, sm_90, 139 GiB"
  std::string why;   ///< why it cannot be used; empty when it can
};

/// What this build can do with GPUs. A value, not a failure: `devices` and `doctor` print it.
struct Availability {
  std::vector<Device> devices;
  std::string
      build;  ///< "CUDA runtime 11.8, kernels for 75-virtual 90"; empty without a CUDA backend
  std::string why;  ///< one sentence when there is no usable device: what is missing and what to do
};

/// Never throws: a missing toolkit, driver or device is a finding.
Availability availability();

/// What a GPU's rooms compute by, whether one is here or not; a device may refuse some of it.
std::vector<AlgorithmInfo> algorithms();

/// The CUDA backend on one device. Throws Fault::device when there is none, naming the spec that
/// predicts its bits on this machine.
std::unique_ptr<Backend> make_backend(int device);

/// The tensor-core generation of a CUDA backend's device: what `cuda:tf32` without @ARCH means. Nothing for
/// other backends, and for devices without TF32.
std::optional<Arch> native_arch(const Backend& backend);

}  // namespace parity::cuda
