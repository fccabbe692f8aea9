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
