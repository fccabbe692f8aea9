#include "model/numerics.hpp"

#include <array>
#include <span>
#include <utility>

#include "model/error.hpp"

namespace parity {
namespace {

template <class E>
using Named = std::pair<E, std::string_view>;

constexpr std::array<Named<Math>, 4> maths{
    {{Math::fp32, "fp32"}, {Math::tf32, "tf32"}, {Math::fp64, "fp64"}, {Math::exact, "exact"}}};
constexpr std::array<Named<Rounding>, 3> roundings{
    {{Rounding::rna, "rna"}, {Rounding::truncate, "truncate"}, {Rounding::rn, "rn"}}};
constexpr std::array<Named<Functions>, 2> function_sources{
    {{Functions::own, "paritylab"}, {Functions::correct, "correct"}}};
constexpr std::array<Named<Determinism>, 4> promises{
    {{Determinism::not_guaranteed, "not_guaranteed"},
     {Determinism::run_to_run, "run_to_run"},
     {Determinism::gpu_to_gpu, "gpu_to_gpu"},
     {Determinism::host_to_gpu, "host_to_gpu"}}};
constexpr std::array<Named<Arch>, 9> archs{{{Arch::none, "none"},
                                            {Arch::sm_75, "sm_75"},
                                            {Arch::sm_80, "sm_80"},
                                            {Arch::sm_86, "sm_86"},
                                            {Arch::sm_87, "sm_87"},
                                            {Arch::sm_89, "sm_89"},
                                            {Arch::sm_90, "sm_90"},
                                            {Arch::sm_100, "sm_100"},
                                            {Arch::sm_120, "sm_120"}}};
constexpr std::array<Named<Algorithm>, 11> algorithms{{{Algorithm::chain, "chain"},
                                                       {Algorithm::chunk256, "chunk256"},
                                                       {Algorithm::tensor_k4f24, "tensor:k4f24"},
                                                       {Algorithm::tensor_k8f25, "tensor:k8f25"},
                                                       {Algorithm::gemm_eigen, "gemm:eigen"},
                                                       {Algorithm::gemm_cublas, "gemm:cublas"},
                                                       {Algorithm::lanes32, "lanes32"},
                                                       {Algorithm::elementwise, "elementwise"},
                                                       {Algorithm::move, "move"},
                                                       {Algorithm::fp64, "fp64"},
                                                       {Algorithm::exact, "exact"}}};
constexpr std::array<Named<InstructionSet>, 5> instruction_sets{{{InstructionSet::best, "best"},
                                                                 {InstructionSet::scalar, "scalar"},
                                                                 {InstructionSet::avx2, "avx2"},
                                                                 {InstructionSet::avx512, "avx512"},
                                                                 {InstructionSet::neon, "neon"}}};

template <class E>
std::string_view name_in(std::span<const Named<E>> table, E value) {
  for (const auto& [candidate, text] : table)
    if (candidate == value) return text;
  throw Error(Fault::internal, "an enumerator without a name");
}

template <class E>
std::optional<E> named_in(std::span<const Named<E>> table, std::string_view text) {
  for (const auto& [candidate, candidate_text] : table)
    if (candidate_text == text) return candidate;
  return std::nullopt;
}

}  // namespace

std::string_view name(Math value) { return name_in<Math>(maths, value); }
std::string_view name(Rounding value) { return name_in<Rounding>(roundings, value); }
std::string_view name(Functions value) { return name_in<Functions>(function_sources, value); }
std::string_view name(Determinism value) { return name_in<Determinism>(promises, value); }
std::string_view name(Arch value) { return name_in<Arch>(archs, value); }
std::string_view name(Algorithm value) { return name_in<Algorithm>(algorithms, value); }
std::string_view name(InstructionSet value) {
  return name_in<InstructionSet>(instruction_sets, value);
}

std::optional<Math> math_named(std::string_view text) { return named_in<Math>(maths, text); }
std::optional<Rounding> rounding_named(std::string_view text) {
  return named_in<Rounding>(roundings, text);
}
std::optional<Functions> functions_named(std::string_view text) {
  return named_in<Functions>(function_sources, text);
}
std::optional<Determinism> determinism_named(std::string_view text) {
  return named_in<Determinism>(promises, text);
}
std::optional<Arch> arch_named(std::string_view text) { return named_in<Arch>(archs, text); }
std::optional<Algorithm> algorithm_named(std::string_view text) {
  return named_in<Algorithm>(algorithms, text);
}
std::optional<InstructionSet> instruction_set_named(std::string_view text) {
  return named_in<InstructionSet>(instruction_sets, text);
}

std::optional<Algorithm> tensor_algorithm(Arch arch) {
  switch (arch) {
    case Arch::sm_80:
    case Arch::sm_86:
    case Arch::sm_87:
    case Arch::sm_89:
      return Algorithm::tensor_k4f24;
    case Arch::sm_90:
    case Arch::sm_100:
    case Arch::sm_120:
      return Algorithm::tensor_k8f25;
    case Arch::none:
    case Arch::sm_75:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string tensor_core_archs() {
  std::string text;
  for (const auto& [arch, arch_name] : archs)
    if (tensor_algorithm(arch)) text.append(text.empty() ? "" : "|").append(arch_name);
  return text;
}

Determinism promise_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::chain:
    case Algorithm::chunk256:
    case Algorithm::tensor_k4f24:
    case Algorithm::tensor_k8f25:
    case Algorithm::lanes32:
    case Algorithm::elementwise:
    case Algorithm::move:
      return Determinism::host_to_gpu;
    case Algorithm::gemm_eigen:
    case Algorithm::gemm_cublas:
    case Algorithm::fp64:
    case Algorithm::exact:
      return Determinism::run_to_run;
  }
  return Determinism::not_guaranteed;
}

std::vector<Algorithm> all_algorithms() {
  std::vector<Algorithm> all;
  for (const auto& row : algorithms) all.push_back(row.first);
  return all;
}

Numerics numerics_of(Math math, Arch arch) {
  Numerics numerics;
  numerics.conv = numerics.matmul = numerics.rnn = math;
  numerics.arch = arch;
  if (math == Math::fp64 || math == Math::exact) numerics.promise = Determinism::run_to_run;
  return numerics;
}

std::string Contract::text() const {
  std::string text(name(algorithm));
  if (rounding) text.append("/").append(name(*rounding));
  if (!function.empty()) text.append("/").append(function);
  if (batch_norm == BatchNormalisation::folded) text.append("+bnfold");
  return text;
}

}  // namespace parity
