#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/arithmetic/epilogue_kind.hpp"
#include "model/backend.hpp"
#include "model/ops.hpp"

namespace parity {

/// One rounded operation per element that may ride on a MAC, in graph order. `a` and `b` hold one
/// element per channel, or one for all.
template <class T>
struct EpilogueStep {
  using Kind = EpilogueKind;
  Kind kind;
  std::vector<T> a, b;
};

template <class T>
using Epilogue = std::vector<EpilogueStep<T>>;

/// The op as an epilogue step of a MAC whose output has `channels` on axis 1, when it is one; T =
/// float or double. The same on every backend: only how a step is applied differs.
template <class T, class AnyOp>
std::optional<EpilogueStep<T>> as_epilogue(const AnyOp&,
                                           std::span<const std::shared_ptr<const Tensor>>,
                                           std::int64_t channels, Reading, const Contract&) {
  (void)channels;
  return std::nullopt;
}
/// fma(x, s, t) with the two constants of scale_shift(), in magnitudes fma(|x|, |s|, |t|).
template <class T>
std::optional<EpilogueStep<T>> as_epilogue(
    const BatchNorm& op, std::span<const std::shared_ptr<const Tensor>> parameters,
    std::int64_t channels, Reading reading, const Contract& contract);
/// The function, by whose sequence the contract says; in magnitudes m -> L m + |f(0)| as model/ops/unary.hpp says, and the function itself
/// where it heads a stage.
template <class T>
std::optional<EpilogueStep<T>> as_epilogue(
    const Unary& op, std::span<const std::shared_ptr<const Tensor>> parameters,
    std::int64_t channels, Reading reading, const Contract& contract);
/// With a constant that is a scalar or one per channel; none otherwise.
template <class T>
std::optional<EpilogueStep<T>> as_epilogue(
    const Binary& op, std::span<const std::shared_ptr<const Tensor>> parameters,
    std::int64_t channels, Reading reading, const Contract& contract);

/// The steps after `head` that ride on it; how many there are.
template <class T>
std::size_t fuse(const PlannedStage& planned, std::size_t head, std::int64_t channels,
                 Reading reading, Epilogue<T>& epilogue);

}  // namespace parity
