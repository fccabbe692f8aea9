#pragma once

#include <type_traits>
#include <variant>

#include "model/op.hpp"
#include "model/ops/batch_norm.hpp"
#include "model/ops/binary.hpp"
#include "model/ops/concat.hpp"
#include "model/ops/constant.hpp"
#include "model/ops/conv2d.hpp"
#include "model/ops/conv_transpose2d.hpp"
#include "model/ops/matmul.hpp"
#include "model/ops/max_pool.hpp"
#include "model/ops/movement.hpp"
#include "model/ops/normalization.hpp"
#include "model/ops/recurrent.hpp"
#include "model/ops/reduce.hpp"
#include "model/ops/softmax.hpp"
#include "model/ops/unary.hpp"
#include "model/ops_fwd.hpp"

namespace parity {

namespace detail {
template <OpContract... Ts>
using Ops = std::variant<Ts...>;  // a member without its contract does not compile
}  // namespace detail

/// Every op the lab knows. Only import, select, plan and each backend's dispatch include this
/// header.
struct Op : detail::Ops<Conv2d, ConvTranspose2d, MatMul, Recurrent, BatchNorm, Unary, Binary,
                        MaxPool, Reduce, Softmax, Normalization, Concat, Movement, Constant> {
  using variant::variant;
};

/// Calls `f` with the concrete op.
template <class F>
decltype(auto) visit(F&& f, const Op& op) {
  return std::visit(std::forward<F>(f), static_cast<const Op::variant&>(op));
}

}  // namespace parity
