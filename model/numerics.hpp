#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/rounding.hpp"

namespace parity {

/// Which arithmetic a family of ops asks for. tf32 is a permission: a plan may give fp32 instead
/// (and says so); fp64 keeps double between stages; exact computes each stage in double on float32
/// inputs and rounds its outputs once.
enum class Math { fp32, tf32, fp64, exact };

/// Whether BatchNorm stays an operation of its own or is multiplied into the weights before it.
enum class BatchNormalisation { kept, folded };

/// Whose elementary functions the elementwise steps call: the lab's sequences, within a few ULP at most and
/// fast, or those that round the real value once. Layers that call functions inside (recurrent ones,
/// Softmax) and Pow have the lab's sequences only.
enum class Functions { own, correct };

/// How far bits repeat, weakest first. host_to_gpu: on every backend, device, instruction set,
/// thread count, layout, batch size and batch position.
enum class Determinism { not_guaranteed, run_to_run, gpu_to_gpu, host_to_gpu };

/// The generation whose tensor core a TF32 request means.
enum class Arch { none, sm_75, sm_80, sm_86, sm_87, sm_89, sm_90, sm_100, sm_120 };

/// The order of operations by which an op is computed. Names (name(Algorithm)) are the contract;
/// see CONTRACTS section 2-4 as restated on the ops.
enum class Algorithm {
  chain,         ///< "chain": one FP32 FMA chain per output
  chunk256,      ///< "chunk256": FP32 chains of 256 terms, their sums added in order
  tensor_k4f24,  ///< "tensor:k4f24": TF32 tensor core of sm_80, 86, 87, 89
  tensor_k8f25,  ///< "tensor:k8f25": TF32 tensor core of sm_90, 100, 120
  gemm_eigen,    ///< "gemm:eigen": Eigen's own order
  gemm_cublas,   ///< "gemm:cublas": cuBLAS's own order, in FP32 or with operands in TF32
  lanes32,       ///< "lanes32": 32 interleaved lanes and an xor tree
  elementwise,   ///< "elementwise": one rounded sequence per element
  move,          ///< "move": bits pass
  fp64,          ///< "fp64": double throughout
  exact          ///< "exact": double inside a stage, rounded once
};

/// Everything that may change a bit. Nothing outside this struct and the model may.
struct Numerics {
  Math conv = Math::fp32;
  Math matmul = Math::fp32;
  Math rnn = Math::fp32;
  Rounding rounding = Rounding::rna;
  BatchNormalisation batch_norm = BatchNormalisation::kept;
  Functions functions = Functions::own;
  Determinism promise = Determinism::host_to_gpu;  ///< at least this
  Arch arch = Arch::none;                          ///< none unless some family is tf32
  std::optional<Algorithm> algorithm;              ///< for every MAC stage, when asked for by name
  friend bool operator==(const Numerics&, const Numerics&) = default;
};

/// Numerics with every family at `math` and the strongest promise that its algorithms make
/// (host_to_gpu, or run_to_run for fp64 and exact).
Numerics numerics_of(Math math, Arch arch = Arch::none);

/// The widths a CPU room may be run at. best = the widest the processor has.
enum class InstructionSet { best, scalar, avx2, avx512, neon };

/// Everything that may not change a bit.
struct Execution {
  int threads = 1;
  InstructionSet instruction_set = InstructionSet::best;
  int device = 0;
  /// Of a GPU: stages take turns on so many streams.
  int streams = 1;
  /// Of a GPU: memory lent to each call of a vendor's library, which may choose its order by it and
  /// promises no more than run_to_run. 32 MiB is what cuBLAS gives itself on sm_90.
  std::int64_t workspace_bytes = std::int64_t{32} << 20;
};

/// What one step is computed by: the algorithm plus every clause of Numerics that the step reads.
/// Equal text and a promise of host_to_gpu mean equal bits (law 1).
struct Contract {
  Algorithm algorithm = Algorithm::elementwise;
  std::optional<Rounding> rounding;  ///< of tensor:*, and of gemm:cublas in TF32
  BatchNormalisation batch_norm = BatchNormalisation::kept;
  std::string
      function;  ///< elementary function and whose sequence: "sigmoid=paritylab", else empty
  Functions functions = Functions::own;  ///< correct only where `function` says so
  Determinism promise = Determinism::host_to_gpu;
  bool stronger = false;  ///< a stronger arithmetic than was permitted (tf32 asked, chain given)

  /// "chain", "tensor:k8f25/rna", "chain+bnfold", "elementwise/sigmoid=paritylab".
  std::string text() const;
};

std::string_view name(Math);
std::string_view name(Rounding);
std::string_view name(Functions);
std::string_view name(Determinism);
std::string_view name(Arch);
std::string_view name(Algorithm);
std::string_view name(InstructionSet);

/// The reverse of name(); nothing when the text is no such name.
std::optional<Math> math_named(std::string_view);
std::optional<Rounding> rounding_named(std::string_view);
std::optional<Functions> functions_named(std::string_view);
std::optional<Determinism> determinism_named(std::string_view);
std::optional<Arch> arch_named(std::string_view);
std::optional<Algorithm> algorithm_named(std::string_view);
std::optional<InstructionSet> instruction_set_named(std::string_view);

/// All archs that have a TF32 tensor core, for messages: "sm_80|sm_86|…".
std::string tensor_core_archs();

/// The tensor-core algorithm of an arch; nothing for Arch::none and sm_75.
std::optional<Algorithm> tensor_algorithm(Arch arch);

Determinism promise_of(Algorithm algorithm);

/// Every algorithm that has a name, in the order of the enumeration.
std::vector<Algorithm> all_algorithms();

}  // namespace parity
