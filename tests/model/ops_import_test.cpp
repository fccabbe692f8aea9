#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/ops.hpp"

// What the rooms read of an ONNX node, on nodes made by hand; whole files are tests/onnx's.

namespace parity {
namespace {

/// A node with the attributes and inputs that a test gives it.
class HandMadeNode final : public NodeView {
 public:
  HandMadeNode(std::string type, int opset) : type_(std::move(type)), opset_(opset) {}

  HandMadeNode& value(Shape shape) {
    inputs_.push_back({{Type::float32, std::move(shape)}, std::nullopt});
    return *this;
  }
  HandMadeNode& known(Tensor tensor) {
    inputs_.push_back({tensor.type(), tensor});
    return *this;
  }
  HandMadeNode& weights(Shape shape) {
    std::vector<float> ones(static_cast<std::size_t>(element_count(shape)), 1.0F);
    return known(Tensor::of(std::move(shape), std::move(ones)));
  }
  HandMadeNode& with(const std::string& name, std::vector<std::int64_t> numbers) {
    integers_[name] = std::move(numbers);
    return *this;
  }
  HandMadeNode& with(const std::string& name, const std::string& text) {
    texts_[name] = text;
    return *this;
  }
  HandMadeNode& with(const std::string& name, float real) {
    reals_[name] = real;
    return *this;
  }
  HandMadeNode& outputs(int count) {
    outputs_ = count;
    return *this;
  }

  const std::string& name() const override { return name_; }
  const std::string& op_type() const override { return type_; }
  int opset() const override { return opset_; }
  int input_count() const override { return static_cast<int>(inputs_.size()); }
  int output_count() const override { return outputs_; }
  bool has_input(int index) const override { return index < input_count(); }
  const TensorType& input_type(int index) const override {
    return inputs_.at(static_cast<std::size_t>(index)).type;
  }
  std::optional<Tensor> constant(int index) const override {
    return inputs_.at(static_cast<std::size_t>(index)).known;
  }
  bool has_output(int index) const override { return index < outputs_; }
  bool has_attribute(std::string_view name) const override {
    const std::string key(name);
    return integers_.contains(key) || texts_.contains(key) || reals_.contains(key);
  }
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const override {
    const auto found = integers_.find(std::string(name));
    return found == integers_.end() ? otherwise : found->second.front();
  }
  float real(std::string_view name, float otherwise) const override {
    const auto found = reals_.find(std::string(name));
    return found == reals_.end() ? otherwise : found->second;
  }
  std::string text(std::string_view name, std::string_view otherwise) const override {
    const auto found = texts_.find(std::string(name));
    return found == texts_.end() ? std::string(otherwise) : found->second;
  }
  std::vector<std::int64_t> integers(std::string_view name,
                                     std::vector<std::int64_t> otherwise) const override {
    const auto found = integers_.find(std::string(name));
    return found == integers_.end() ? otherwise : found->second;
  }
  std::vector<float> reals(std::string_view) const override { return {}; }
  std::vector<std::string> texts(std::string_view) const override { return {}; }
  std::optional<Tensor> tensor(std::string_view) const override { return std::nullopt; }
  [[noreturn]] void refuse(const std::string& why) const override {
    throw Error(Fault::bad_model, "the hand-made " + type_ + " cannot be imported: " + why);
  }
  void only_attributes(std::initializer_list<std::string_view> known) const override {
    const auto check = [&](const std::string& name) {
      if (std::find(known.begin(), known.end(), name) == known.end()) refuse("attribute " + name);
    };
    for (const auto& [name, value] : integers_) check(name);
    for (const auto& [name, value] : texts_) check(name);
    for (const auto& [name, value] : reals_) check(name);
  }
  Tensor required_constant(int index, std::string_view role) const override {
    if (const auto value = constant(index)) return *value;
    refuse("its " + std::string(role) + " must be known");
  }

 private:
  struct Input {
    TensorType type;
    std::optional<Tensor> known;
  };
  std::string name_, type_;
  int opset_;
  int outputs_ = 1;
  std::vector<Input> inputs_;
  std::map<std::string, std::vector<std::int64_t>> integers_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, float> reals_;
};

Tensor numbers(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of({count}, std::move(values));
}

/// The output shape of a node as its room imports it.
template <class T>
Shape shape_of(const HandMadeNode& node) {
  const Imported<T> imported = T::from_onnx(node);
  OperandTypes types;
  for (const int input : imported.inputs) types.inputs.push_back(node.input_type(input));
  for (const auto& parameter : imported.parameters)
    types.parameters.push_back(parameter ? std::optional(parameter->type()) : std::nullopt);
  return imported.op.infer(types).front().shape;
}

TEST(MaxPoolImport, CeilModeBecomesPaddingAtTheEnd) {
  HandMadeNode pool("MaxPool", 12);
  pool.value({1, 3, 5, 6}).with("kernel_shape", std::vector<std::int64_t>{2, 2});
  pool.with("strides", std::vector<std::int64_t>{2, 2});
  EXPECT_EQ(shape_of<MaxPool>(pool), (Shape{1, 3, 2, 3}));
  pool.with("ceil_mode", std::vector<std::int64_t>{1});
  EXPECT_EQ(shape_of<MaxPool>(pool), (Shape{1, 3, 3, 3}));
  EXPECT_EQ(MaxPool::from_onnx(pool).op.window.pad_end, (std::array<std::int64_t, 2>{1, 0}));
}

TEST(MaxPoolImport, CeilModeDropsAWindowThatStartsPastTheImage) {
  HandMadeNode pool("MaxPool", 12);
  pool.value({1, 1, 3}).with("kernel_shape", std::vector<std::int64_t>{1});
  pool.with("strides", std::vector<std::int64_t>{4})
      .with("ceil_mode", std::vector<std::int64_t>{1});
  EXPECT_EQ(shape_of<MaxPool>(pool), (Shape{1, 1, 1}));
}

TEST(MaxPoolImport, SameLowerPadsMoreAtTheBeginning) {
  HandMadeNode pool("MaxPool", 12);
  pool.value({1, 1, 8}).with("kernel_shape", std::vector<std::int64_t>{2});
  pool.with("auto_pad", std::string("SAME_LOWER"));
  EXPECT_EQ(shape_of<MaxPool>(pool), (Shape{1, 1, 8}));
  EXPECT_EQ(MaxPool::from_onnx(pool).op.window.pad_begin[1], 1);
  EXPECT_EQ(MaxPool::from_onnx(pool).op.window.pad_end[1], 0);
}

TEST(MaxPoolImport, RefusesIndicesAndWindowsOfPaddingAlone) {
  HandMadeNode pool("MaxPool", 12);
  pool.value({1, 1, 8}).with("kernel_shape", std::vector<std::int64_t>{2}).outputs(2);
  EXPECT_THROW(MaxPool::from_onnx(pool), Error);
  pool.outputs(1).with("pads", std::vector<std::int64_t>{3, 0});
  EXPECT_THROW(shape_of<MaxPool>(pool), Error);
}

TEST(ConvTransposeImport, OutputShapeBecomesPads) {
  HandMadeNode conv("ConvTranspose", 11);
  conv.value({1, 2, 3, 3}).weights({2, 4, 3, 3}).with("strides", std::vector<std::int64_t>{3, 2});
  EXPECT_EQ(shape_of<ConvTranspose2d>(conv), (Shape{1, 4, 9, 7}));
  conv.with("output_shape", std::vector<std::int64_t>{10, 6});
  EXPECT_EQ(shape_of<ConvTranspose2d>(conv), (Shape{1, 4, 10, 6}));
  const ConvTranspose2d op = ConvTranspose2d::from_onnx(conv).op;
  EXPECT_EQ(op.extra, (std::array<std::int64_t, 2>{1, 0}));
  EXPECT_EQ(op.window.pad_begin, (std::array<std::int64_t, 2>{0, 1}));
}

TEST(ConvTransposeImport, SameMultipliesTheExtentByTheStride) {
  for (const std::string auto_pad : {"SAME_UPPER", "SAME_LOWER"}) {
    HandMadeNode conv("ConvTranspose", 11);
    conv.value({1, 2, 5}).weights({2, 4, 4}).with("strides", std::vector<std::int64_t>{3});
    conv.with("auto_pad", auto_pad);
    EXPECT_EQ(shape_of<ConvTranspose2d>(conv), (Shape{1, 4, 15})) << auto_pad;
    EXPECT_EQ(ConvTranspose2d::from_onnx(conv).op.window.pad_end[1],
              auto_pad == "SAME_UPPER" ? 1 : 0);
  }
}

TEST(GemmImport, BetaZeroDoesNotEvenReadItsAddend) {
  HandMadeNode gemm("Gemm", 13);
  gemm.value({2, 3}).weights({3, 4}).value({2, 4}).with("beta", 0.0F);
  const Imported<MatMul> imported = MatMul::from_onnx(gemm);
  EXPECT_EQ(imported.op.addend, MatMul::Addend::none);
  EXPECT_EQ(imported.inputs, std::vector<int>{0});
}

TEST(GemmImport, KnowsWhichOperandsAreParameters) {
  HandMadeNode gemm("Gemm", 13);
  gemm.weights({3, 2}).value({3, 4}).weights({4}).with("transA", std::vector<std::int64_t>{1});
  const Imported<MatMul> imported = MatMul::from_onnx(gemm);
  EXPECT_EQ(imported.op.constant, MatMul::Constant::left);
  EXPECT_EQ(imported.op.addend, MatMul::Addend::parameter);
  EXPECT_EQ(imported.inputs, std::vector<int>{1});
  EXPECT_EQ(shape_of<MatMul>(gemm), (Shape{2, 4}));
}

TEST(BinaryImport, AConstantGetsTheRankOfTheValueOrNone) {
  HandMadeNode per_channel("Add", 13), scalar("Mul", 13), wider("Add", 13);
  per_channel.weights({5, 1, 1}).value({2, 5, 3, 4});
  scalar.value({2, 5}).weights({1, 1});
  wider.value({5}).weights({1, 2, 1});
  EXPECT_EQ(Binary::from_onnx(per_channel).parameters.front()->shape(), (Shape{1, 5, 1, 1}));
  EXPECT_EQ(Binary::from_onnx(per_channel).inputs, std::vector<int>{1});
  EXPECT_EQ(Binary::from_onnx(scalar).parameters.front()->shape(), Shape{});
  EXPECT_EQ(Binary::from_onnx(wider).inputs, (std::vector<int>{0, 1}));
  EXPECT_EQ(shape_of<Binary>(wider), (Shape{1, 2, 5}));
}

TEST(ReduceImport, ReadsAxesWhereTheOpsetPutsThem) {
  HandMadeNode old("ReduceMax", 13), fresh("ReduceMax", 18), none("ReduceMax", 18);
  old.value({2, 3, 4}).with("axes", std::vector<std::int64_t>{-1});
  old.with("keepdims", std::vector<std::int64_t>{0});
  fresh.value({2, 3, 4}).known(numbers({1, 0}));
  none.value({2, 3, 4});
  EXPECT_EQ(shape_of<Reduce>(old), (Shape{2, 3}));
  EXPECT_EQ(shape_of<Reduce>(fresh), (Shape{1, 1, 4}));
  EXPECT_EQ(shape_of<Reduce>(none), (Shape{1, 1, 1}));
  EXPECT_EQ(shape_of<Reduce>(none.with("noop_with_empty_axes", std::vector<std::int64_t>{1})),
            (Shape{2, 3, 4}));
}

TEST(MovementImport, ReshapeRefusesWhatCannotBe) {
  const auto reshape = [](std::vector<std::int64_t> target) {
    return HandMadeNode("Reshape", 14).value({2, 6}).known(numbers(std::move(target)));
  };
  EXPECT_EQ(shape_of<Movement>(reshape({0, 2, -1})), (Shape{2, 2, 3}));
  for (const std::vector<std::int64_t>& target :
       {std::vector<std::int64_t>{-1, -1}, {5, -1}, {0, 0, 0}, {-2, 6}, {13}})
    EXPECT_THROW(shape_of<Movement>(reshape(target)), Error) << to_string(target);
}

TEST(MovementImport, DropoutIsInferenceOnly) {
  HandMadeNode inference("Dropout", 13), training("Dropout", 13);
  const Tensor ratio = Tensor::of({}, std::vector<float>{0.5F});
  inference.value({2, 3}).known(ratio).known(Tensor::of({}, std::vector<std::uint8_t>{0}));
  training.value({2, 3}).known(ratio).known(Tensor::of({}, std::vector<std::uint8_t>{1}));
  EXPECT_EQ(shape_of<Movement>(inference), (Shape{2, 3}));
  EXPECT_THROW(Movement::from_onnx(training), Error);
}

TEST(PlacementImport, SliceReadsItsNumbersWhereTheOpsetPutsThem) {
  HandMadeNode old("Slice", 9), fresh("Slice", 13);
  old.value({2, 7, 5}).with("starts", std::vector<std::int64_t>{1, -3});
  old.with("ends", std::vector<std::int64_t>{100, -1})
      .with("axes", std::vector<std::int64_t>{1, 2});
  EXPECT_EQ(shape_of<Placement>(old), (Shape{2, 6, 2}));
  fresh.value({2, 7, 5}).known(numbers({-1})).known(numbers({-100})).known(numbers({-2}));
  EXPECT_EQ(shape_of<Placement>(fresh.known(numbers({-2}))), (Shape{2, 4, 5}));
}

TEST(PlacementImport, WhatCannotBeIsRefused) {
  const auto slicing = [](std::int64_t step, std::int64_t axis) {
    return HandMadeNode("Slice", 13)
        .value({2, 7})
        .known(numbers({0}))
        .known(numbers({7}))
        .known(numbers({axis}))
        .known(numbers({step}));
  };
  EXPECT_THROW(shape_of<Placement>(slicing(0, 1)), Error);
  EXPECT_THROW(shape_of<Placement>(slicing(1, 2)), Error);
  HandMadeNode depth("DepthToSpace", 13);
  depth.value({1, 6, 2, 2}).with("blocksize", std::vector<std::int64_t>{2});
  EXPECT_THROW(shape_of<Placement>(depth), Error);
  HandMadeNode padded("Pad", 13);
  padded.value({2, 3}).known(numbers({0, -2, 0, -2}));
  EXPECT_THROW(shape_of<Placement>(padded), Error);
}

TEST(PiecesImport, UnequalPiecesNeedSizesOrACount) {
  HandMadeNode equal("Split", 11), counted("Split", 18), sized("Split", 13);
  equal.value({2, 7}).with("axis", std::vector<std::int64_t>{1}).outputs(3);
  EXPECT_THROW(Pieces::from_onnx(equal), Error);
  counted.value({2, 7}).with("axis", std::vector<std::int64_t>{1}).outputs(3);
  counted.with("num_outputs", std::vector<std::int64_t>{3});
  const Pieces op = Pieces::from_onnx(counted).op;
  EXPECT_EQ(op.infer({{{Type::float32, {2, 7}}}, {}}).back().shape, (Shape{2, 1}));
  sized.value({2, 7}).known(numbers({3, 5})).outputs(2).with("axis", std::vector<std::int64_t>{1});
  EXPECT_THROW(shape_of<Pieces>(sized), Error);
}

TEST(GatherImport, AKnownIndexOutsideItsAxisIsRefusedAtImport) {
  const auto gathering = [](std::int64_t index) {
    return HandMadeNode("Gather", 13).value({5, 2}).known(numbers({0, index}));
  };
  EXPECT_EQ(shape_of<Gather>(gathering(-5)), (Shape{2, 2}));
  EXPECT_THROW(Gather::from_onnx(gathering(5)), Error);
  EXPECT_THROW(Gather::from_onnx(gathering(-6)), Error);
}

TEST(ResizeImport, SizesAndScalesGiveTheAxesThatChange) {
  HandMadeNode by_sizes("Resize", 13), by_scales("Upsample", 9), smooth("Resize", 18);
  by_sizes.value({1, 3, 4, 6}).weights({0}).weights({0}).known(numbers({1, 3, 8, 6}));
  const Resize resize = Resize::from_onnx(by_sizes).op;
  ASSERT_EQ(resize.axes.size(), 1U);
  EXPECT_EQ(resize.axes[0].axis, 2);
  EXPECT_EQ(shape_of<Resize>(by_sizes), (Shape{1, 3, 8, 6}));
  by_scales.value({1, 3, 4, 6}).known(Tensor::of<float>({4}, {1, 1, 1.5F, 2}));
  EXPECT_EQ(shape_of<Resize>(by_scales), (Shape{1, 3, 6, 12}));
  EXPECT_EQ(Resize::from_onnx(by_scales).op.coordinates, Resize::Coordinates::asymmetric);
  smooth.value({1, 3, 4, 6}).weights({0}).weights({0}).known(numbers({1, 3, 2, 3}));
  smooth.with("antialias", std::vector<std::int64_t>{1});
  EXPECT_THROW(Resize::from_onnx(smooth), Error);
}

TEST(AveragePoolImport, WhatCeilModeAddsIsToldFromPads) {
  HandMadeNode pool("AveragePool", 19);
  pool.value({1, 3, 5, 6}).with("kernel_shape", std::vector<std::int64_t>{2, 2});
  pool.with("strides", std::vector<std::int64_t>{2, 2});
  pool.with("ceil_mode", std::vector<std::int64_t>{1});
  EXPECT_EQ(shape_of<AveragePool>(pool), (Shape{1, 3, 3, 3}));
  EXPECT_EQ(AveragePool::from_onnx(pool).op.beyond, (std::array<std::int64_t, 2>{1, 0}));
}

TEST(TopKImport, TakesNoMoreThanTheAxisHas) {
  HandMadeNode more("TopK", 11), all("TopK", 11);
  EXPECT_EQ(shape_of<TopK>(all.value({2, 5}).known(numbers({5}))), (Shape{2, 5}));
  EXPECT_THROW(shape_of<TopK>(more.value({2, 5}).known(numbers({6}))), Error);
}

TEST(MatMulImport, RefusesExtentsThatDoNotMeet) {
  HandMadeNode product("MatMul", 13);
  product.value({2, 3}).weights({4, 5});
  EXPECT_THROW(shape_of<MatMul>(product), Error);
}

}  // namespace
}  // namespace parity
