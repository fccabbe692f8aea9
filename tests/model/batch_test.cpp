#include "model/batch.hpp"

#include <gtest/gtest.h>

#include "model/error.hpp"
#include "tests/model/small_graph.hpp"

namespace parity {
namespace {

/// One convolution and a reshape of its output to `target`.
Graph reshaped_net(std::vector<std::int64_t> target) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {2, 3, 4, 4}});
  const TensorId z = add_conv(builder, x, 4, "/c/Conv", "z", 1);
  builder.add_output(builder
                         .add_step(Movement{Movement::Function::reshape, std::move(target)}, {z},
                                   {}, "flat", {"y"}, "Reshape")
                         .front());
  return builder.finish();
}

TEST(Batch, OnlyAxis0GrowsAndNamesStay) {
  const Graph graph = reshaped_net({2, 64});
  const Rebatched made = with_items(graph, 3);
  ASSERT_TRUE(made.graph) << made.why;
  const TensorInfo& y = made.graph->tensor(made.graph->outputs[0]);
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.type.shape, (Shape{6, 64}));
  EXPECT_EQ(cut(*made.graph).size(), cut(graph).size());
}

TEST(Batch, AStepThatTakesItemsOffAxis0IsNamed) {
  for (const std::vector<std::int64_t>& target :
       {std::vector<std::int64_t>{128}, {4, 32}, {-1}, {1, 2, 64}}) {
    const Rebatched made = with_items(reshaped_net(target), 2);
    EXPECT_FALSE(made.graph);
    EXPECT_NE(made.why.find("'flat'"), std::string::npos) << made.why;
  }
}

TEST(Batch, AConcatenationOfItemsIsRefused) {
  GraphBuilder builder("net");
  const TensorId x = builder.add_input("x", {Type::float32, {1, 3}});
  builder.add_output(builder.add_step(Concat{0}, {x, x}, {}, "both", {"y"}, "Concat").front());
  const Rebatched made = with_items(builder.finish(), 2);
  EXPECT_FALSE(made.graph);
  EXPECT_NE(made.why.find("'both'"), std::string::npos) << made.why;
}

TEST(Batch, AStepThatReordersItemsIsRefusedThoughItsShapesFit) {
  const auto why = [](Placement op) {
    GraphBuilder builder("net");
    const TensorId x = builder.add_input("x", {Type::float32, {2, 3}});
    builder.add_output(builder.add_step(std::move(op), {x}, {}, "turn", {"y"}, "Slice").front());
    return with_items(builder.finish(), 3).why;
  };
  using enum Placement::Function;
  EXPECT_EQ(why({slice, {{1, 2, -100, -1}}}), "");
  EXPECT_NE(why({slice, {{0, -1, -100, -1}}}).find("'turn'"), std::string::npos);
  EXPECT_NE(why({pad, {}, {1, 0, -1, 0}}).find("'turn'"), std::string::npos);
  EXPECT_EQ(why({expand, {}, {2, 3}}), "");
  EXPECT_NE(why({tile, {}, {2, 1}}).find("'turn'"), std::string::npos);
}

TEST(Batch, AGatherAmongItemsIsRefusedAndOneFromATableIsNot) {
  const auto why = [](Gather op, bool table) {
    GraphBuilder builder("net");
    const TensorId i = builder.add_input("i", {Type::int64, {2, 4}});
    std::vector<TensorId> inputs{i};
    std::vector<std::optional<Tensor>> parameters(2);
    if (table) {
      op.data = Gather::Operand::parameter;
      parameters[0] = filled({Type::float32, {9, 5}}, Fill::real, 1);
    } else {
      inputs.insert(inputs.begin(), builder.add_input("x", {Type::float32, {2, 4}}));
    }
    builder.add_output(
        builder.add_step(op, inputs, std::move(parameters), "pick", {"y"}, "Gather").front());
    return with_items(builder.finish(), 3).why;
  };
  EXPECT_EQ(why({}, true), "");
  EXPECT_NE(why({Gather::Function::elements, 0}, false).find("'pick'"), std::string::npos);
  EXPECT_EQ(why({Gather::Function::elements, 1}, false), "");
}

TEST(Batch, ItemsAreSlicesThatShare) {
  const Tensor whole = Tensor::of<float>({3, 2}, {0, 1, 2, 3, 4, 5});
  const Tensor middle = items_of(whole, 1, 1);
  EXPECT_EQ(middle.shape(), (Shape{1, 2}));
  EXPECT_EQ(middle.values<float>()[0], 2.0F);
  EXPECT_EQ(middle.data(), whole.values<float>().data() + 2);
  EXPECT_THROW((void)items_of(whole, 2, 2), Error);
}

}  // namespace
}  // namespace parity
