#include <gtest/gtest.h>

#include "compare/misread.hpp"
#include "tests/compare/recorded.hpp"

// Integers and masks at run time: what the differ makes of stages whose values are no floats.

namespace parity {
namespace {

/// y = relu(x * 2) where the position is a token's, 0 elsewhere; n counts tokens up by one, m says where
/// they are.
Graph masked_net() {
  GraphBuilder graph("masked");
  const TensorId x = graph.add_input("x", {Type::float32, {2, 6, 5}}),
                 tokens = graph.add_input("tokens", {Type::int64, {2, 6}}),
                 keep = graph.add_input("keep", {Type::boolean, {2, 6}});
  const auto step = [&](auto op, std::vector<TensorId> inputs,
                        std::vector<std::optional<Tensor>> parameters, const std::string& name) {
    return graph.add_step(op, std::move(inputs), std::move(parameters), "/" + name, {name}).front();
  };
  const Tensor zero = Tensor::of<std::int64_t>({}, {0}), one = Tensor::of<std::int64_t>({}, {1});
  const TensorId padding = step(Predicate{Predicate::Function::equal}, {tokens}, {zero}, "padding");
  const TensorId token = step(Predicate{Predicate::Function::negation}, {padding}, {}, "token");
  const TensorId m = step(Predicate{Predicate::Function::both}, {token, keep}, {}, "m");
  const TensorId n = step(Binary{Binary::Function::add}, {tokens}, {one}, "n");
  const TensorId weight = step(Cast{Type::int64, Cast::To::float32}, {n}, {}, "weight");
  const TensorId scale = step(Unary{EpilogueKind::exp}, {weight}, {}, "scale");
  const TensorId twice =
      step(Binary{Binary::Function::mul}, {x}, {Tensor::of<float>({}, {2})}, "twice");
  const TensorId gelu = step(Unary{EpilogueKind::gelu}, {twice}, {}, "gelu");
  Movement column;
  column.function = Movement::Function::unsqueeze;
  column.numbers = {-1};
  const TensorId wide = step(column, {scale}, {}, "wide");
  const TensorId scaled = step(Binary{Binary::Function::div}, {gelu, wide}, {}, "scaled");
  const TensorId rows = step(Cast{Type::boolean, Cast::To::float32}, {m}, {}, "rows");
  const TensorId mask = step(column, {rows}, {}, "mask");
  const TensorId bit =
      step(Predicate{Predicate::Function::greater}, {mask}, {Tensor::of<float>({}, {0.5F})}, "bit");
  const TensorId y =
      step(Choice{{false, false, true}}, {bit, scaled}, {Tensor::of<float>({}, {0})}, "y");
  graph.add_output(m);
  graph.add_output(n);
  graph.add_output(y);
  return graph.finish();
}

TEST(Integers, EqualContractsGiveEqualBitsInEveryStage) {
  Bench bench(masked_net());
  const RunRecord record = bench.run(fp32(), fp32());
  EXPECT_EQ(record.exit_code, 0);
  ASSERT_GT(record.stages.size(), 8U);
  for (const StageResult& stage : record.stages)
    EXPECT_EQ(stage.verdict, Verdict::same_bits) << stage.name;
}

TEST(Integers, DoubleBesideFloatIsExplainedAndMasksStayTheSame) {
  Bench bench(masked_net());
  for (const Numerics& numerics : {fp64(), exact()}) {
    const RunRecord record = bench.run(numerics, fp32());
    EXPECT_EQ(record.exit_code, 0);
    for (const StageResult& stage : record.stages) {
      EXPECT_NE(stage.verdict, Verdict::diverged) << stage.name;
      const TensorType& made =
          bench.stages[static_cast<std::size_t>(stage.id)].output_types.front();
      if (made.type != Type::float32) {
        EXPECT_EQ(stage.verdict, Verdict::same_bits) << stage.name;
      }
    }
  }
}

TEST(Integers, ARecordingThatHoldsAnotherOneDiverges) {
  Bench bench(masked_net());
  const Capture clean = recorded(bench, fp32());
  int spoilt = 0;
  for (std::size_t i = 0; i < clean.tensors.size(); ++i) {
    const auto& [name, tensor] = clean.tensors[i];
    SCOPED_TRACE(name);
    const Type type = tensor.type().type;
    if (type != Type::int64 && type != Type::boolean) continue;
    std::vector<double> values = widened(tensor);
    values.back() = type == Type::boolean ? 1 - values.back() : values.back() + 3;
    Capture other = clean;
    other.tensors[i].second = narrowed(tensor.type(), values);
    const RunRecord record = judged(bench, other, {}, {}, {.attribute = attribute_all});
    ASSERT_GE(record.answers.first_diverging, 0);
    EXPECT_EQ(record.stages[static_cast<std::size_t>(record.answers.first_diverging)].tensor, name);
    ++spoilt;
  }
  EXPECT_GE(spoilt, 5);
}

TEST(Integers, ADifferenceIsNamedByItsNumbers) {
  cpu::CpuBackend cpu;
  const Execution execution{1};
  const auto compared = [&](const Tensor& a, const Tensor& b) {
    return cpu.compare(cpu.upload(a, execution), cpu.upload(b, execution), nullptr, {}, execution);
  };
  const Comparison masks = compared(Tensor::of<std::uint8_t>({4}, {0, 1, 1, 0}),
                                    Tensor::of<std::uint8_t>({4}, {0, 1, 0, 0}));
  EXPECT_EQ(masks.differing, 1);
  ASSERT_TRUE(masks.first);
  EXPECT_EQ(masks.first->index, 2);
  EXPECT_EQ(masks.first->a_bits, 1U);
  EXPECT_EQ(masks.first->b_bits, 0U);
  const Comparison numbers = compared(Tensor::of<std::int64_t>({3}, {5, -7, 9}),
                                      Tensor::of<std::int64_t>({3}, {5, -7, 11}));
  EXPECT_EQ(numbers.differing, 1);
  EXPECT_EQ(numbers.max_abs, 2);
  EXPECT_EQ(numbers.worst->b_bits, 11U);
}

}  // namespace
}  // namespace parity
