#include "model/ops/matmul.hpp"

#include <cmath>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

/// The product's two operands, one of them a parameter where it is known at import. Of two
/// constants the left one stays a value, so that the product is a stage like any other.
Imported<MatMul> product_of(const NodeView& node) {
  MatMul op;
  if (std::optional<Tensor> right = node.constant(1))
    return {op, {0}, {std::move(right), std::nullopt}};
  if (std::optional<Tensor> left = node.constant(0)) {
    op.constant = MatMul::Constant::left;
    return {op, {1}, {std::move(left), std::nullopt}};
  }
  op.constant = MatMul::Constant::neither;
  return {op, {0, 1}, {std::nullopt, std::nullopt}};
}

Imported<MatMul> from_gemm(const NodeView& node) {
  node.only_attributes({"alpha", "beta", "transA", "transB"});
  for (int i = 0; i < 2; ++i)
    if (node.input_type(i).shape.size() != 2)
      node.refuse("its operand " + std::to_string(i) + " has shape " +
                  to_string(node.input_type(i).shape) + "; Gemm multiplies matrices");
  Imported<MatMul> imported = product_of(node);
  MatMul& op = imported.op;
  op.alpha = node.real("alpha", 1);
  op.beta = node.real("beta", 1);
  if (node.integer("transA", 0) != 0) op.left = MatMul::Stored::transposed;
  if (node.integer("transB", 0) != 0) op.right = MatMul::Stored::transposed;
  if (!node.has_input(2) || op.beta == 0)
    return imported;  // beta = 0: no addition, so c is not even read
  if (std::optional<Tensor> addend = node.constant(2)) {
    op.addend = MatMul::Addend::parameter;
    imported.parameters[1] = std::move(addend);
  } else {
    op.addend = MatMul::Addend::value;
    imported.inputs.push_back(2);
  }
  return imported;
}

/// The operands by their places: input(i) is the i-th value, parameter(i) the i-th constant.
template <class T, class Input, class Parameter>
ProductOperands<T> placed(const MatMul& op, const Input& input, const Parameter& parameter) {
  std::size_t next = 0;
  const auto take = [&](bool constant, std::size_t i) {
    return constant ? parameter(i) : input(next++);
  };
  ProductOperands<T> result;
  result.left = take(op.constant == MatMul::Constant::left, 0);
  result.right = take(op.constant == MatMul::Constant::right, 0);
  if (op.addend != MatMul::Addend::none)
    result.addend = take(op.addend == MatMul::Addend::parameter, 1);
  return result;
}

}  // namespace

std::span<const std::string_view> MatMul::onnx_types() {
  static constexpr std::string_view types[] = {"MatMul", "Gemm"};
  return types;
}

Imported<MatMul> MatMul::from_onnx(const NodeView& node) {
  if (node.op_type() == "Gemm") return from_gemm(node);
  node.only_attributes({});
  return product_of(node);
}

ProductOperands<TensorType> operands(const MatMul& op, const OperandTypes& types) {
  const bool constant = op.constant != MatMul::Constant::neither;
  const std::size_t values = (constant ? 1 : 2) + (op.addend == MatMul::Addend::value ? 1 : 0);
  require_operands(types, values, 2, "MatMul");
  if (types.parameters[0].has_value() != constant ||
      types.parameters[1].has_value() != (op.addend == MatMul::Addend::parameter))
    throw Error(Fault::internal, "MatMul's parameters are not the ones its fields announce");
  return placed<TensorType>(
      op, [&](std::size_t i) { return types.inputs[i]; },
      [&](std::size_t i) { return *types.parameters[i]; });
}

ProductOperands<ProductOperand> operands(
    const MatMul& op, std::span<const Value> inputs,
    std::span<const std::shared_ptr<const Tensor>> parameters) {
  return placed<ProductOperand>(
      op,
      [&](std::size_t i) {
        return ProductOperand{&inputs[i], nullptr};
      },
      [&](std::size_t i) {
        return ProductOperand{nullptr, parameters[i]};
      });
}

ProductExtents extents(const MatMul& op, const Shape& left, const Shape& right) {
  const std::string what = "MatMul of shapes " + to_string(left) + " and " + to_string(right);
  if (left.empty() || right.empty()) throw Error(Fault::bad_model, what + " has a scalar operand");
  Shape a = left, b = right;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  if (op.left == MatMul::Stored::transposed) std::swap(a.end()[-1], a.end()[-2]);
  if (op.right == MatMul::Stored::transposed) std::swap(b.end()[-1], b.end()[-2]);
  ProductExtents e{a.end()[-2],
                   b.end()[-1],
                   a.end()[-1],
                   {},
                   {a.begin(), a.end() - 2},
                   {b.begin(), b.end() - 2}};
  if (b.end()[-2] != e.K)
    throw Error(Fault::bad_model, what + " cannot be: it sums over " + std::to_string(e.K) +
                                      " against " + std::to_string(b.end()[-2]) + " elements");
  e.batch = broadcast(e.left_batch, e.right_batch, what);
  return e;
}

std::vector<std::int64_t> matrices(const Shape& stack, const Shape& batch) {
  const std::vector<std::int64_t> strides = broadcast_strides(stack, batch.size());
  std::vector<std::int64_t> indices(static_cast<std::size_t>(element_count(batch)), 0);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t axis = batch.size(); axis-- > 0;) {
      indices[i] += rest % batch[axis] * strides[axis];
      rest /= batch[axis];
    }
  }
  return indices;
}

std::vector<TensorType> MatMul::infer(const OperandTypes& types) const {
  const ProductOperands<TensorType> operand = operands(*this, types);
  require_float32(operand.left, "MatMul's left operand");
  require_float32(operand.right, "MatMul's right operand");
  const ProductExtents e = extents(*this, operand.left.shape, operand.right.shape);
  TensorType y{Type::float32, e.batch};
  if (operand.left.shape.size() > 1) y.shape.push_back(e.M);
  if (operand.right.shape.size() > 1) y.shape.push_back(e.N);
  if (operand.addend) {
    require_float32(*operand.addend, "Gemm's addend");
    if (broadcast(operand.addend->shape, y.shape, "Gemm's addend") != y.shape)
      throw Error(Fault::bad_model, "Gemm's addend of shape " + to_string(operand.addend->shape) +
                                        " does not stretch to the product's shape " +
                                        to_string(y.shape));
  }
  return {y};
}

std::int64_t MatMul::macs(const OperandTypes& types) const {
  const ProductOperands<TensorType> operand = operands(*this, types);
  const ProductExtents e = extents(*this, operand.left.shape, operand.right.shape);
  return element_count(e.batch) * e.M * e.N * e.K;
}

StepAllowance MatMul::allowance(const OperandTypes& types,
                                std::span<const std::shared_ptr<const Tensor>>,
                                const Contract& contract) const {
  const ProductOperands<TensorType> operand = operands(*this, types);
  const ProductExtents e = extents(*this, operand.left.shape, operand.right.shape);
  Allowance own = mac_allowance(contract, e.K, tensor_steps(contract, e.K, 1));
  own.underflow *= std::fmax(1.0, std::fabs(static_cast<double>(alpha)));
  if (alpha != 1) own = own + rounded(contract, 1);
  if (operand.addend) own = own + rounded(contract, beta == 1 ? 1 : 2);
  return {own, 1};
}

std::vector<Case<MatMul>> MatMul::cases() {
  std::vector<Case<MatMul>> cases;
  const auto type = [](Shape shape) { return TensorType{Type::float32, std::move(shape)}; };
  const auto product = [&](std::string name, MatMul op, Shape a, Shape b,
                           std::optional<Shape> c = std::nullopt) {
    OperandTypes types{{}, {std::nullopt, std::nullopt}};
    if (op.constant == Constant::left)
      types.parameters[0] = type(std::move(a));
    else
      types.inputs.push_back(type(std::move(a)));
    if (op.constant == Constant::right)
      types.parameters[0] = type(std::move(b));
    else
      types.inputs.push_back(type(std::move(b)));
    if (op.addend == Addend::parameter) types.parameters[1] = type(std::move(*c));
    if (op.addend == Addend::value) types.inputs.push_back(type(std::move(*c)));
    cases.push_back({std::move(name), op, std::move(types)});
  };
  const MatMul constant_right, constant_left{.constant = Constant::left},
      values{.constant = Constant::neither};
  product("matrix by weights", constant_right, {7, 45}, {45, 33});
  product("tokens by weights", constant_right, {2, 9, 64}, {64, 70});
  product("stack by weights", constant_right, {2, 3, 5, 17}, {17, 16});
  product("stack by a stack of weights", constant_right, {2, 3, 5, 17}, {3, 17, 8});
  product("vector by weights", constant_right, {19}, {19, 6});
  product("tokens by a vector", constant_right, {3, 4, 11}, {11});
  product("weights by matrix", constant_left, {9, 12}, {12, 21});
  product("weights by a stack", constant_left, {9, 12}, {2, 12, 5});
  product("two values", values, {5, 40}, {40, 18});
  product("attention scores", values, {2, 3, 7, 16}, {2, 3, 16, 7});
  product("stacks that stretch", values, {2, 1, 4, 6}, {3, 6, 5});
  product("two vectors", values, {37}, {37});
  const auto gemm = [](Constant constant, Addend addend, Stored left, Stored right, float alpha,
                       float beta) { return MatMul{constant, addend, left, right, alpha, beta}; };
  using enum Stored;
  product("Gemm layer", gemm(Constant::right, Addend::parameter, as_read, transposed, 1, 1),
          {3, 129}, {60, 129}, Shape{60});
  product("Gemm without addend", gemm(Constant::right, Addend::none, as_read, as_read, 1, 1),
          {6, 20}, {20, 33});
  product("Gemm scaled", gemm(Constant::right, Addend::parameter, as_read, as_read, 0.3F, 0.7F),
          {5, 20}, {20, 17}, Shape{1, 17});
  product("Gemm with one addend per row",
          gemm(Constant::right, Addend::parameter, as_read, transposed, 1, 0.5F), {5, 24}, {9, 24},
          Shape{5, 1});
  product("Gemm with a scalar", gemm(Constant::right, Addend::parameter, as_read, as_read, 2, 1),
          {4, 8}, {8, 16}, Shape{});
  product("Gemm of transposed values",
          gemm(Constant::neither, Addend::value, transposed, transposed, 1.5F, 1), {34, 5},
          {18, 34}, Shape{5, 18});
  product("Gemm of a transposed constant",
          gemm(Constant::left, Addend::none, transposed, as_read, 1, 1), {12, 7}, {12, 9});
  return cases;
}

}  // namespace parity
