#include "cli/environment.hpp"

#include <fmt/format.h>
#include <link.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "model/error.hpp"

namespace parity::cli {
namespace {

namespace fs = std::filesystem;

/// The value of "key : value" in a file of such lines, as in /proc/cpuinfo; empty without one.
std::string field(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

std::string first_line(const fs::path& file) {
  std::ifstream lines(file);
  std::string line;
  std::getline(lines, line);
  return line;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc()) return std::nullopt;
  return value;
}

/// "16368412 kB" in bytes.
std::int64_t meminfo_bytes(std::string_view key) {
  return number(field("/proc/meminfo", key)).value_or(0) * 1024;
}

/// "inactive_file 4096" in the control group's memory.stat.
std::int64_t cgroup_stat(std::string_view key) {
  std::ifstream lines("/sys/fs/cgroup/memory.stat");
  for (std::string line; std::getline(lines, line);)
    if (line.compare(0, key.size(), key) == 0 && line.size() > key.size() &&
        line[key.size()] == ' ')
      return number(std::string_view(line).substr(key.size() + 1)).value_or(0);
  return 0;
}

std::vector<std::string> processor_features() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const std::pair<const char*, bool> known[] = {
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
  };
  for (const auto& [name, present] : known)
    if (present) features.emplace_back(name);
#elif defined(__aarch64__)
  features = {"fma", "neon"};
#endif
  return features;
}

bool keeps_subnormals() {
  // volatile: the processor, not the compiler, is asked
  volatile float smallest_normal = 0x1p-126F;
  volatile float half = 0.5F;
  volatile float product = smallest_normal * half;
  volatile float input = 0x1p-149F;
  volatile float two_to_100 = 0x1p100F;
  volatile float scaled = input * two_to_100;
  return product == 0x1p-127F && scaled == 0x1p-49F;
}

struct Known {
  const char* name;
  const char* effect;
};
constexpr Known known_variables[] = {
    {"NVIDIA_TF32_OVERRIDE",
     "cuBLAS and cuDNN take TF32 off (0) or on for every FP32 product, whatever a program asks"},
    {"CUBLAS_WORKSPACE_CONFIG",
     "cuBLAS sizes its workspace by it, which decides whether its sums repeat"},
    {"CUBLAS_EMULATE_SINGLE_PRECISION", "cuBLAS may compute FP32 products from BF16 pieces"},
    {"CUBLAS_EMULATION_STRATEGY", "cuBLAS chooses by it when FP32 is emulated"},
    {"CUDA_VISIBLE_DEVICES", "the CUDA runtime hides and renumbers devices by it"},
    {"CUDA_LAUNCH_BLOCKING",
     "the CUDA runtime waits after every kernel: times change, bits do not"},
    {"CUDA_MODULE_LOADING", "the CUDA runtime loads kernels early or late by it: times change"},
    {"CUDA_CACHE_DISABLE", "the CUDA driver recompiles kernels at every start"},
    {"CUDA_FORCE_PTX_JIT",
     "the CUDA driver compiles kernels anew from PTX: other code may run than was tested"},
    {"OMP_NUM_THREADS",
     "OpenMP libraries take their thread count from it; paritylab takes --threads"},
    {"OMP_THREAD_LIMIT", "OpenMP may give fewer threads than --threads asks for: times change"},
    {"OMP_DYNAMIC", "OpenMP may give fewer threads than --threads asks for: times change"},
    {"OMP_PROC_BIND", "OpenMP pins threads by it: times change"},
    {"OMP_WAIT_POLICY", "OpenMP threads spin or sleep by it: times change"},
    {"GOMP_CPU_AFFINITY", "GNU OpenMP pins threads by it: times change"},
    {"MKL_CBWR", "MKL fixes its instruction path by it; paritylab does not use MKL"},
    {"DNNL_DEFAULT_FPMATH_MODE",
     "oneDNN may compute in lower precision; paritylab does not use oneDNN"},
    {"LD_PRELOAD",
     "the loader puts these libraries before all others, the mathematics library among them"},
    {"LD_LIBRARY_PATH", "the loader looks for libraries here first, cuBLAS and libm among them"},
    {"GLIBC_TUNABLES", "the C library chooses its implementations by it, libm's among them"},
};

int add_library(dl_phdr_info* info, std::size_t, void* names) {
  const std::string_view path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  if (path.find(".so") != std::string_view::npos)
    static_cast<std::set<std::string>*>(names)->insert(
        fs::path(fs::path(path).filename()).string());
  return 0;
}

/// Folders where CUDA's files lie by custom, and where the loader and the shell are told to look.
std::vector<fs::path> cuda_folders() {
  std::set<fs::path> folders = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                "/usr/bin"};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/local", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.compare(0, 4, "cuda") != 0) continue;
    // cuda and cuda-13 are links to cuda-13.0: one installation
    const fs::path real = fs::canonical(entry.path(), ignored);
    folders.insert(real / "bin");
    folders.insert(real / "lib64");
  }
  for (const char* variable : {"PATH", "LD_LIBRARY_PATH"}) {
    const char* value = std::getenv(variable);
    std::istringstream parts(value == nullptr ? "" : value);
    for (std::string part; std::getline(parts, part, ':');) {
      const fs::path real = fs::canonical(part, ignored);
      if (!part.empty() && !real.empty()) folders.insert(real);
    }
  }
  return {folders.begin(), folders.end()};
}

/// The major version in "libcudart.so.13.0.96" or "libcublas.so.12": 13, 12.
std::optional<std::int64_t> major_version(const std::string& file) {
  const std::size_t at = file.find(".so.");
  return at == std::string::npos ? std::nullopt : number(std::string_view(file).substr(at + 4));
}

}  // namespace

Machine machine() {
  Machine machine;
  machine.processor = field("/proc/cpuinfo", "model name");
  if (machine.processor.empty()) machine.processor = "unnamed processor";
  machine.features = processor_features();
  cpu_set_t set;
  CPU_ZERO(&set);
  machine.threads = ::sched_getaffinity(0, sizeof set, &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(std::thread::hardware_concurrency());
  machine.threads = std::max(machine.threads, 1);
  machine.memory_bytes = meminfo_bytes("MemTotal");
  machine.available_bytes = meminfo_bytes("MemAvailable");
  // A container's limit is not in /proc/meminfo.
  if (const auto limit = number(first_line("/sys/fs/cgroup/memory.max"));
      limit && *limit < machine.memory_bytes) {
    // Pages of files count as used, but are given back on demand.
    const std::int64_t used = number(first_line("/sys/fs/cgroup/memory.current")).value_or(0) -
                              cgroup_stat("active_file") - cgroup_stat("inactive_file");
    machine.memory_bytes = *limit;
    machine.available_bytes =
        std::min(machine.available_bytes, std::max<std::int64_t>(*limit - used, 0));
  }
  return machine;
}

void require_memory(std::int64_t bytes, const std::string& what) {
  const std::int64_t available = machine().available_bytes;
  if (available == 0 || bytes <= available) return;  // 0: the system does not say
  constexpr double gibibyte = 1 << 30;
  throw Error(
      Fault::out_of_memory,
      fmt::format("{} needs {:.1f} GiB, and {:.1f} GiB of memory are available here. Run a part "
                  "with --until, choose smaller extents with --shape or --dim, or use a larger "
                  "machine.",
                  what, static_cast<double>(bytes) / gibibyte,
                  static_cast<double>(available) / gibibyte));
}

std::vector<SelfTest> arithmetic_self_tests() {
  volatile float x = 1.0F + 0x1p-12F;  // x * x = 1 + 2^-11 + 2^-24, which rounds to 1 + 2^-11
  volatile float z = -(1.0F + 0x1p-11F);
  const float fused = std::fma(x, x, z);
  const float x_value = x;
  const float plain = x_value * x_value + z;
  volatile float one = 1.0F, tie = 0x1p-24F, above = 0x1.8p-23F;
  const bool nearest =
      std::fegetround() == FE_TONEAREST && one + tie == 1.0F && one + above == 1.0F + 0x1p-22F;
  bool elsewhere = false;
  std::thread([&] { elsewhere = keeps_subnormals(); }).join();
  const std::string flush =
      "subnormals are flushed to zero, so no contract holds. A library loaded into this process, "
      "or the one "
      "that started it, set the processor's flush mode; look at LD_PRELOAD.";
  return {
      {"a fused multiply-add rounds once", fused == 0x1p-24F,
       "fma rounds twice: the C library's fallback is wrong. Update libc6."},
      {"a product and a sum are never fused unasked", plain == 0.0F,
       "the program was compiled with contraction. Build it with -ffp-contract=off, as its CMake "
       "files do."},
      {"results round to nearest, ties to even", nearest,
       "another rounding mode is set. The process that started this one, or LD_PRELOAD, changed "
       "it."},
      {"subnormal numbers are kept", keeps_subnormals(), flush},
      {"subnormal numbers are kept on a new thread", elsewhere, flush},
  };
}

std::vector<VendorVariable> vendor_variables() {
  std::vector<VendorVariable> set;
  for (const Known& known : known_variables)
    if (const char* value = std::getenv(known.name))
      set.push_back({known.name, value, known.effect});
  return set;
}

Facts vendor_facts() {
  Facts facts;
  for (const VendorVariable& variable : vendor_variables())
    facts.emplace_back(variable.name, variable.value);
  return facts;
}

std::vector<std::string> loaded_libraries() {
  std::set<std::string> names;
  ::dl_iterate_phdr(add_library, &names);
  return {names.begin(), names.end()};
}

CudaInstallation cuda_installation() {
  CudaInstallation found;
  std::set<std::int64_t> majors_runtime, majors_blas;
  std::error_code ignored;
  for (const fs::path& folder : cuda_folders()) {
    if (fs::exists(folder / "nvcc", ignored)) found.compilers.push_back((folder / "nvcc").string());
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename().string();
      const bool runtime = name.compare(0, 13, "libcudart.so.") == 0;
      const bool blas = name.compare(0, 13, "libcublas.so.") == 0;
      if ((!runtime && !blas) || entry.is_symlink(ignored)) continue;
      found.runtimes.push_back(entry.path().string());
      if (const auto major = major_version(name))
        (runtime ? majors_runtime : majors_blas).insert(*major);
    }
  }
  std::sort(found.runtimes.begin(), found.runtimes.end());
  found.driver = first_line("/proc/driver/nvidia/version");
  if (majors_runtime.size() > 1 || majors_blas.size() > 1)
    found.mixed =
        "libraries of more than one CUDA major version lie on the search path; which one a program "
        "gets depends "
        "on LD_LIBRARY_PATH. Keep one, or set LD_LIBRARY_PATH to it";
  if (found.compilers.size() > 1)
    found.ambiguous = "more than one nvcc is here; a build takes the first in PATH";
  return found;
}

}  // namespace parity::cli
