#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace parity::cli {

using Facts = std::vector<std::pair<std::string, std::string>>;

/// What the processor and its memory are, in the order they are printed.
struct Machine {
  std::string processor;
  std::vector<std::string> features;  ///< of those that a room can use: "avx2", "avx512f", "fma"
  int threads = 1;                    ///< that this process may run on
  std::int64_t memory_bytes = 0;      ///< of the machine, or of the control group when that is less
  std::int64_t available_bytes = 0;
};
Machine machine();

/// Throws Fault::out_of_memory, with what is needed, what is available and what to do, when `bytes`
/// are more than this machine has left; so that a run ends with a sentence rather than at the hands
/// of the kernel.
void require_memory(std::int64_t bytes, const std::string& what);

/// One property of the arithmetic that every contract takes for granted, tried out.
struct SelfTest {
  std::string what;  ///< "a fused multiply-add rounds once"
  bool holds = false;
  std::string otherwise;  ///< what is wrong and what to do, when it does not hold
};
/// Fused multiply-add, no contraction, rounding to nearest, subnormals on this and on a fresh
/// thread.
std::vector<SelfTest> arithmetic_self_tests();

/// An environment variable that a vendor's library obeys and that can change a result or a speed.
struct VendorVariable {
  std::string name, value;
  std::string effect;  ///< one sentence: who obeys it and what it does
};
/// Those that are set now. None of them steers paritylab; records carry them.
std::vector<VendorVariable> vendor_variables();
/// The same as facts of a record: name, value.
Facts vendor_facts();

/// Shared libraries that this process has loaded, by file name, sorted.
std::vector<std::string> loaded_libraries();

/// CUDA toolkits, runtimes and drivers found by their files; nothing of them is loaded.
struct CudaInstallation {
  std::vector<std::string> compilers;  ///< every nvcc on the search path
  std::vector<std::string> runtimes;   ///< libcudart and libcublas files, one per version
  std::string driver;                  ///< the kernel module's version line, empty without one
  std::string mixed;                   ///< why the versions do not fit together; empty when they do
  std::string ambiguous;               ///< what may be meant by "CUDA" here; empty when it is plain
};
CudaInstallation cuda_installation();

}  // namespace parity::cli
