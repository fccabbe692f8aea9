#include "model/inputs.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "model/error.hpp"
#include "model/generator.hpp"

namespace parity {
namespace {

const TensorInfo image{"x", {Type::float32, {1, 8, 32, 32}}};
const TensorInfo vector{"v", {Type::float32, {5}}};
const TensorInfo count{"n", {Type::int64, {4}}};
const TensorInfo mask{"m", {Type::boolean, {4}}};

std::vector<BoundInput> bound(const std::vector<std::string>& options,
                              const std::vector<TensorInfo>& inputs) {
  return InputRequests(options).bind(inputs);
}

std::string refusal(const std::vector<std::string>& options, const std::vector<TensorInfo>& inputs,
                    Fault fault) {
  try {
    bound(options, inputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

TEST(Inputs, DefaultsFitTheTypeAndAreSaid) {
  const std::vector<BoundInput> inputs = bound({}, {image, count, mask});
  EXPECT_EQ(inputs[0].origin, "normal:7");
  EXPECT_EQ(inputs[1].origin, "integers:7");
  EXPECT_EQ(inputs[2].origin, "ones");
  EXPECT_EQ(inputs[0].text().compare(0, 35, "float32 1x8x32x32 from normal:7, di"), 0)
      << inputs[0].text();
}

TEST(Inputs, WhatTheFileCallsInt32IsCalledSoAndTakesInt64) {
  const TensorInfo ids{"ids", {Type::int64, {4}}, "int32"};
  EXPECT_EQ(bound({}, {ids})[0].text().compare(0, 25, "int32 4 from integers:7, "), 0);
  EXPECT_EQ(accepted_types(ids), "int32 or int64");
  EXPECT_EQ(accepted_types(image), "float32");
}

TEST(Inputs, AGeneratorWithoutANameServesWhatItCanMake) {
  const std::vector<BoundInput> inputs = bound({"extreme:3"}, {image, count});
  EXPECT_EQ(inputs[0].origin, "extreme:3");
  EXPECT_EQ(inputs[1].origin, "integers:7");
  EXPECT_EQ(bound({"v=zeros", "pillars:1"}, {image, vector})[0].origin, "pillars:1");
}

TEST(Inputs, ASampleDeclaresItsOwn) {
  const std::vector<std::pair<std::string, std::string>> declared = {{"x", "pillars:9"}};
  const std::vector<TensorInfo> inputs = {image};
  EXPECT_EQ(InputRequests({}).bind(inputs, declared)[0].origin, "pillars:9");
  const std::vector<std::string> options = {"ones"};
  EXPECT_EQ(InputRequests(options).bind(inputs, declared)[0].origin, "ones");
}

TEST(Inputs, WhatFitsNothingIsRefusedByName) {
  EXPECT_NE(refusal({"y=zeros"}, {image}, Fault::bad_request).find("it has 'x'"),
            std::string::npos);
  EXPECT_NE(refusal({"n=normal:7"}, {count}, Fault::bad_input).find("integers:7"),
            std::string::npos);
  EXPECT_NE(refusal({"v=pillars:7"}, {vector}, Fault::bad_input).find("N x C x H x W"),
            std::string::npos);
  EXPECT_NE(refusal({"x=zeros", "x=ones"}, {image}, Fault::bad_request).find("given twice"),
            std::string::npos);
  EXPECT_NE(refusal({"x=zeros:7"}, {image}, Fault::bad_request).find("takes no seed"),
            std::string::npos);
  EXPECT_NE(refusal({"x="}, {image}, Fault::bad_request).find("names no source"),
            std::string::npos);
  EXPECT_NE(refusal({"normal:-1"}, {image}, Fault::bad_request).find("needs a seed"),
            std::string::npos);
}

TEST(Inputs, ShapesAreReadOrRefused) {
  EXPECT_EQ(parse_shape("1x3x224x224"), (Shape{1, 3, 224, 224}));
  EXPECT_EQ(parse_shape("7"), (Shape{7}));
  EXPECT_EQ(parse_shape("scalar"), Shape{});
  for (const char* text : {"", "x", "1x", "x1", "1xx2", "1,2", "-1x2", "99999999999999999999"})
    EXPECT_THROW(parse_shape(text), Error) << text;
}

TEST(Generator, EveryElementDependsOnSeedStreamAndIndexAlone) {
  const Tensor small = generate({Generator::Kind::normal, 7}, {Type::float32, {10}}, "input0");
  const Tensor large = generate({Generator::Kind::normal, 7}, {Type::float32, {2, 50}}, "input0");
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_EQ(small.values<float>()[i], large.values<float>()[i]);
  EXPECT_FALSE(
      same_bits(small, generate({Generator::Kind::normal, 8}, {Type::float32, {10}}, "input0")));
  EXPECT_FALSE(
      same_bits(small, generate({Generator::Kind::normal, 7}, {Type::float32, {10}}, "input1")));
}

TEST(Generator, PillarsFillWholeCellsAndLeaveMostEmpty) {
  const Tensor image = generate({Generator::Kind::pillars, 7}, {Type::float32, {1, 8, 64, 64}}, "");
  int occupied = 0;
  for (std::size_t cell = 0; cell < 64 * 64; ++cell) {
    int channels = 0;
    for (std::size_t c = 0; c < 8; ++c) {
      const float value = image.values<float>()[c * 64 * 64 + cell];
      EXPECT_GE(value, 0);
      channels += value > 0 ? 1 : 0;
    }
    occupied += channels > 0 ? 1 : 0;
  }
  // 4096 cells at 1/16: 256 expected, standard deviation 15.5; six of them are allowed
  EXPECT_GT(occupied, 256 - 93);
  EXPECT_LT(occupied, 256 + 93);
}

TEST(Generator, EachKindKeepsItsClass) {
  const TensorType type{Type::float32, {4096}};
  const Tensor denormal = generate({Generator::Kind::denormal, 7}, type, "");
  for (const float value : denormal.values<float>())
    EXPECT_EQ(std::fpclassify(value), FP_SUBNORMAL);
  const Tensor extreme = generate({Generator::Kind::extreme, 7}, type, "");
  for (const float value : extreme.values<float>()) {
    EXPECT_TRUE(std::isnormal(value));
    EXPECT_TRUE(std::isnormal(value * value)) << value;
  }
  const Tensor integers = generate({Generator::Kind::integers, 7}, type, "");
  for (const float value : integers.values<float>())
    EXPECT_TRUE(value == std::trunc(value) && std::fabs(value) <= 8);
  const Tensor zeros = generate({Generator::Kind::zeros, 0}, type, "");
  for (const float value : zeros.values<float>())
    EXPECT_EQ(std::bit_cast<std::uint32_t>(value), 0U);
}

}  // namespace
}  // namespace parity
