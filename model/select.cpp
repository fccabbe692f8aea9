#include "model/select.hpp"

#include <optional>
#include <string>

#include "model/arithmetic/bounds.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

/// Channels that one output of a grouped MAC sums over; nothing for an op without groups.
std::optional<std::int64_t> group_channels(const Op& op, const OperandTypes& types) {
  return visit(
      [&](const auto& o) -> std::optional<std::int64_t> {
        if constexpr (requires { o.group; }) {
          if (o.group > 1) return o.group_channels(types);
        }
        return std::nullopt;
      },
      op);
}

/// Whether a reduction adds; a maximum only selects, so no order is promised for it.
bool sums(const Op& op) {
  return visit(
      [](const auto& o) {
        if constexpr (requires { o.sums(); }) return o.sums();
        return true;
      },
      op);
}

std::string kind_of(const Op& op) {
  return visit([](const auto& o) { return std::string(o.kind()); }, op);
}

[[noreturn]] void refuse(const std::string& why) { throw Error(Fault::bad_request, why); }

Contract of(Algorithm algorithm) {
  Contract contract;
  contract.algorithm = algorithm;
  contract.promise = promise_of(algorithm);
  return contract;
}

Contract mac_contract(const Op& op, const OperandTypes& types, const Numerics& numerics,
                      Math math) {
  if (math == Math::fp64) return of(Algorithm::fp64);
  if (math == Math::exact) return of(Algorithm::exact);
  if (math == Math::fp32) {
    const Algorithm asked = numerics.algorithm.value_or(Algorithm::chain);
    if (asked != Algorithm::chain && asked != Algorithm::chunk256 &&
        asked != Algorithm::gemm_eigen && asked != Algorithm::gemm_cublas)
      refuse("algorithm=" + std::string(name(asked)) + " is not an fp32 algorithm for " +
             kind_of(op) +
             "; ask for chain, chunk256, gemm:eigen or gemm:cublas, or for tf32@ARCH");
    return of(asked);
  }
  const std::optional<Algorithm> core = tensor_algorithm(numerics.arch);
  if (!core)
    refuse("tf32 needs an arch with a TF32 tensor core, not " + std::string(name(numerics.arch)) +
           "; write tf32@" + tensor_core_archs());
  const Algorithm asked = numerics.algorithm.value_or(*core);
  if (asked != *core && asked != Algorithm::gemm_cublas)
    refuse("algorithm=" + std::string(name(asked)) + " is not the tensor core of " +
           std::string(name(numerics.arch)) + ", which is " + std::string(name(*core)));
  if (numerics.rounding == Rounding::rn && numerics.arch < Arch::sm_90)
    refuse("round=rn needs sm_90 or later: " + std::string(name(numerics.arch)) +
           " converts to TF32 by rna or truncation only");
  if (const auto channels = group_channels(op, types); channels && *channels < 8) {
    Contract contract =
        of(Algorithm::chain);  // tf32 is a permission, and a group this thin gains nothing
    contract.stronger = true;
    return contract;
  }
  Contract contract = of(asked);
  contract.rounding = numerics.rounding;
  return contract;
}

/// Reductions and elementwise ops follow the convolution's toggle into double.
Contract other_contract(const Numerics& numerics, Algorithm algorithm) {
  if (algorithm == Algorithm::move) return of(algorithm);
  if (numerics.conv == Math::fp64) return of(Algorithm::fp64);
  if (numerics.conv == Math::exact) return of(Algorithm::exact);
  return of(algorithm);
}

}  // namespace

Contract select(const Op& op, const OperandTypes& types, const Numerics& numerics) {
  Contract contract;
  switch (visit([](const auto& o) { return o.family; }, op)) {
    case Family::conv:
      contract = mac_contract(op, types, numerics, numerics.conv);
      break;
    case Family::matmul:
      contract = mac_contract(op, types, numerics, numerics.matmul);
      break;
    case Family::rnn:
      contract = mac_contract(op, types, numerics, numerics.rnn);
      break;
    case Family::reduction:
      contract = other_contract(numerics, sums(op) ? Algorithm::lanes32 : Algorithm::elementwise);
      break;
    case Family::elementwise:
      contract = other_contract(numerics, Algorithm::elementwise);
      break;
    case Family::move:
      contract = other_contract(numerics, Algorithm::move);
      break;
  }
  if (!in_double(contract))
    visit(
        [&](const auto& o) {
          if constexpr (requires { o.correct_kind(); }) {
            if (numerics.functions == Functions::correct && !o.function_clause().empty()) {
              if (!o.correct_kind())
                refuse("functions=correct has no " + kind_of(op) +
                       (o.a != 0 ? " of " + std::to_string(o.a) : std::string()) +
                       ": no sequence of it is proven to be correctly rounded for all inputs; "
                       "drop functions=correct, or end before it with --until");
              contract.functions = Functions::correct;
            }
            contract.function = o.function_clause(contract.functions);
          } else if constexpr (requires { o.function_clause(); }) {
            contract.function = o.function_clause();
          }
        },
        op);
  if (contract.promise < numerics.promise)
    refuse(contract.text() + " for " + kind_of(op) + " promises " +
           std::string(name(contract.promise)) + ", not " + std::string(name(numerics.promise)) +
           "; add promise=" + std::string(name(contract.promise)) +
           " or ask for another arithmetic");
  return contract;
}

}  // namespace parity
