#pragma once

#include <type_traits>
#include <variant>

#include "model/op.hpp"
#include "model/ops/average_pool.hpp"
#include "model/ops/batch_norm.hpp"
#include "model/ops/binary.hpp"
#include "model/ops/cast.hpp"
#include "model/ops/choice.hpp"
#include "model/ops/concat.hpp"
#include "model/ops/constant.hpp"
#include "model/ops/conv2d.hpp"
#include "model/ops/conv_transpose2d.hpp"
#include "model/ops/gather.hpp"
#include "model/ops/matmul.hpp"
#include "model/ops/max_pool.hpp"
#include "model/ops/movement.hpp"
#include "model/ops/normalization.hpp"
#include "model/ops/pieces.hpp"
#include "model/ops/placement.hpp"
#include "model/ops/predicate.hpp"
#include "model/ops/recurrent.hpp"
#include "model/ops/reduce.hpp"
#include "model/ops/resize.hpp"
#include "model/ops/scatter.hpp"
#include "model/ops/softmax.hpp"
#include "model/ops/top_k.hpp"
#include "model/ops/unary.hpp"
#include "model/ops_fwd.hpp"

namespace parity {

namespace detail {
template <OpContract... Ts>
using Ops = std::variant<Ts...>;  // a member without its contract does not compile
}  // namespace detail

/// Every op the lab knows. Only import, select, plan and each backend's dispatch include this
/// header.
struct Op
    : detail::Ops<Conv2d, ConvTranspose2d, MatMul, BatchNorm, Unary, Binary, MaxPool, Reduce,
                  Concat, Movement, Constant, AveragePool, Cast, Choice, Gather, Normalization,
                  Pieces, Placement, Predicate, Recurrent, Resize, Scatter, Softmax, TopK> {
  using variant::variant;
};

/// Calls `f` with the concrete op.
template <class F>
decltype(auto) visit(F&& f, const Op& op) {
  return std::visit(std::forward<F>(f), static_cast<const Op::variant&>(op));
}

}  // namespace parity
