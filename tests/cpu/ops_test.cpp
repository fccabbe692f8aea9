#include "model/ops.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "cpu/backend.hpp"
#include "cpu/mac/instruction_set.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/graph.hpp"
#include "model/plan.hpp"
#include "tests/cpu/instances.hpp"
#include "tests/cpu/judged.hpp"

// Every op of the variant against its contract, driven by its own cases(): a new op gets these
// tests by having cases and an evaluate() in tests/cpu/reference/rooms.hpp.

namespace parity {
namespace {

using cpu::CpuBackend;
using cpu::Layout;
using reference::Dense;

std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> sets{InstructionSet::scalar};
  for (const InstructionSet set :
       {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon})
    if (cpu::has(set)) sets.push_back(set);
  return sets;
}

/// Every instruction set of this processor on one thread, and the widest on 2 and 7.
std::vector<Execution> executions() {
  std::vector<Execution> all{{2, InstructionSet::best, 0}, {7, InstructionSet::best, 0}};
  for (const InstructionSet set : instruction_sets()) all.push_back({1, set, 0});
  return all;
}

std::vector<Value> uploaded(CpuBackend& backend, const std::vector<Tensor>& inputs, Layout layout,
                            const Execution& execution) {
  std::vector<Value> values;
  for (const Tensor& input : inputs)
    values.push_back(cpu::with_layout(backend.upload(input, execution), layout, execution));
  return values;
}

/// A reference's output in the type that the op makes it.
template <class Real>
Tensor tensor_of(const Dense<Real>& dense, Type type = type_of<Real>()) {
  if (type == Type::int64) {
    std::vector<std::int64_t> numbers;
    for (const Real value : dense.values)
      numbers.push_back(value < Real{0x1p63F} ? static_cast<std::int64_t>(value)
                                              : std::numeric_limits<std::int64_t>::max());
    return Tensor::of(dense.shape, std::move(numbers));
  }
  if (type == Type::boolean)
    return Tensor::of(dense.shape,
                      std::vector<std::uint8_t>(dense.values.begin(), dense.values.end()));
  return with_canonical_nan(Tensor::of(dense.shape, dense.values));
}
/// float32 and float64 as the arithmetic has it; integers and booleans stay.
template <class Real>
Type made_in(const Tensor& got) {
  const Type type = got.type().type;
  return type == Type::int64 || type == Type::boolean ? type : type_of<Real>();
}

std::vector<Tensor> downloaded(CpuBackend& backend, const std::vector<Value>& values,
                               const Execution& execution) {
  std::vector<Tensor> tensors;
  for (const Value& value : values) tensors.push_back(backend.download(value, execution));
  return tensors;
}
std::string output_text(std::size_t output) {
  return output == 0 ? "" : ", output " + std::to_string(output);
}

/// Sums products; what rides on it is fused.
template <class T>
constexpr bool carries = T::family == Family::conv || T::family == Family::matmul;
template <class T>
constexpr bool is_mac = carries<T> || T::family == Family::rnn;

template <class T>
class Room : public testing::Test {};

using EveryOp = TypesOf<Op::variant>::type;
TYPED_TEST_SUITE(Room, EveryOp, NameOfOp);

/// The alternatives on which steps ride.
template <class... Ts>
struct List {
  using types = testing::Types<Ts...>;
};
template <class... Kept>
auto macs_among(List<>, List<Kept...> kept) {
  return kept;
}
template <class T, class... Ts, class... Kept>
auto macs_among(List<T, Ts...>, List<Kept...>) {
  return macs_among(List<Ts...>{},
                    std::conditional_t<carries<T>, List<Kept..., T>, List<Kept...>>{});
}
template <class... Ts>
auto list_of(std::variant<Ts...>*) -> List<Ts...>;
template <class T>
class MacRoom : public testing::Test {};
using EveryMac =
    decltype(macs_among(decltype(list_of(static_cast<Op::variant*>(nullptr))){}, List<>{}))::types;
TYPED_TEST_SUITE(MacRoom, EveryMac, NameOfOp);

TYPED_TEST(Room, EqualsItsContractToTheBit) {
  CpuBackend backend;
  int compared = 0;
  for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
    const std::vector<Dense<float>> expected = instance.template expected<float>();
    const PlannedStage stage = planned(instance.graph(), Numerics{}, backend);
    for (const Execution& execution : executions())
      for (const Layout layout : {Layout::row_major, Layout::channels_last}) {
        const std::vector<Value> in = uploaded(backend, instance.inputs, layout, execution);
        const std::vector<Tensor> got =
            downloaded(backend, backend.run(stage, in, Reading::values, execution), execution);
        ASSERT_EQ(expected.size(), got.size());
        for (std::size_t k = 0; k < got.size(); ++k, ++compared)
          ASSERT_TRUE(same_bits(tensor_of(expected[k], made_in<float>(got[k])), got[k]))
              << instance.text << output_text(k) << ", " << name(execution.instruction_set) << ", "
              << execution.threads << " threads, "
              << (layout == Layout::row_major ? "row-major" : "channels-last") << "\n"
              << first_difference<float>(tensor_of(expected[k]), got[k]);
      }
    backend.forget(stage);
  }
  EXPECT_GT(compared, 0);
}

TYPED_TEST(Room, EqualsItsContractInDoubleToTheBit) {
  CpuBackend backend;
  int compared = 0;
  for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
    const std::vector<Dense<double>> expected = instance.template expected<double>();
    const PlannedStage stage = planned(instance.graph(), numerics_of(Math::fp64), backend);
    for (const int threads : {1, 7})
      for (const bool widened : {true, false}) {
        const Execution execution{threads, InstructionSet::best, 0};
        std::vector<Tensor> inputs =
            instance.inputs;  // a stage reads doubles, or float32 where the network begins
        if (widened)
          for (Tensor& input : inputs)
            if (input.type().type == Type::float32) input = to_float64(input);
        const std::vector<Value> in = uploaded(backend, inputs, Layout::channels_last, execution);
        std::vector<Tensor> got =
            downloaded(backend, backend.run(stage, in, Reading::values, execution), execution);
        ASSERT_EQ(expected.size(), got.size());
        for (std::size_t k = 0; k < got.size(); ++k, ++compared) {
          // Movement of float32 stays float32: nothing was computed.
          if (got[k].type().type == Type::float32 && TypeParam::family == Family::move)
            got[k] = to_float64(got[k]);
          ASSERT_TRUE(same_bits(tensor_of(expected[k], made_in<double>(got[k])), got[k]))
              << instance.text << output_text(k) << "\n"
              << first_difference<double>(tensor_of(expected[k]), got[k]);
        }
      }
    backend.forget(stage);
  }
  EXPECT_GT(compared, 0);
}

/// The items [first, first + count) of axis 0.
Tensor items(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  const std::int64_t item = tensor.size() / tensor.shape()[0];
  Shape shape = tensor.shape();
  shape[0] = count;
  const auto part = [&]<class T>(std::span<const T> values) {
    values = values.subspan(static_cast<std::size_t>(first * item),
                            static_cast<std::size_t>(count * item));
    return Tensor::of(std::move(shape), std::vector<T>(values.begin(), values.end()));
  };
  switch (tensor.type().type) {
    case Type::int64:
      return part(tensor.values<std::int64_t>());
    case Type::boolean:
      return part(tensor.values<std::uint8_t>());
    default:
      return part(tensor.values<float>());
  }
}

/// Which inputs of a case carry a batch on axis 0, empty when none does; their extent there becomes
/// `most`. Axis 0 is a batch when the inputs that have the output's extent there can be given any
/// other one and the output follows.
template <class T>
std::vector<bool> batch_carriers(Case<T>& of, std::int64_t most) {
  if constexpr (std::is_same_v<T, Reduce>)
    if (!of.op.axes.empty() && of.op.axes[0] == 0) return {};
  if constexpr (requires { of.op.keeps_items(of.types); })
    if (!of.op.keeps_items(of.types)) return {};
  const Shape y = of.op.infer(of.types).front().shape;
  if (y.empty() || y[0] < 2) return {};
  std::vector<bool> carries;
  for (const TensorType& type : of.types.inputs)
    carries.push_back(!type.shape.empty() && type.shape.size() >= y.size() &&
                      type.shape[0] == y[0]);
  if (std::find(carries.begin(), carries.end(), true) == carries.end()) return {};
  for (const std::int64_t batch : {std::int64_t{1}, most}) {
    for (std::size_t i = 0; i < carries.size(); ++i)
      if (carries[i]) of.types.inputs[i].shape[0] = batch;
    try {
      Shape follows = y;
      follows[0] = batch;
      if (of.op.infer(of.types).front().shape != follows) return {};
    } catch (const Error&) {
      return {};  // the extent is tied to another operand
    }
  }
  return carries;
}

TYPED_TEST(Room, AnItemDoesNotDependOnItsBatch) {
  constexpr std::int64_t most = 5;
  CpuBackend backend;
  const Execution execution{2, InstructionSet::best, 0};
  int compared = 0;
  for (const Fill fill : fills) {
    for (Case<TypeParam>& the_case : TypeParam::cases()) {
      const std::vector<bool> carries = batch_carriers(the_case, most);
      if (carries.empty()) continue;
      const Instance<TypeParam> whole(the_case, fill);
      const auto run = [&](std::int64_t first, std::int64_t count) {
        Instance<TypeParam> part = whole;
        for (std::size_t i = 0; i < carries.size(); ++i)
          if (carries[i]) part.inputs[i] = items(part.inputs[i], first, count);
        const PlannedStage stage = planned(part.graph(), Numerics{}, backend);
        const std::vector<Value> in = uploaded(backend, part.inputs, Layout::row_major, execution);
        Tensor result =
            backend.download(backend.run(stage, in, Reading::values, execution).front(), execution);
        backend.forget(stage);
        return result;
      };
      std::vector<Tensor> alone;
      for (std::int64_t i = 0; i < most; ++i) alone.push_back(run(i, 1));
      for (const std::int64_t batch : {std::int64_t{2}, most}) {
        const Tensor together = run(0, batch);
        for (std::int64_t i = 0; i < batch; ++i, ++compared)
          ASSERT_TRUE(same_bits(alone[static_cast<std::size_t>(i)], items(together, i, 1)))
              << whole.text << ", item " << i << " of " << batch;
      }
    }
  }
  if (TypeParam::cases().front().types.inputs.empty())
    EXPECT_EQ(compared, 0) << "an op without inputs has no batch";
  else
    EXPECT_GT(compared, 0);
}

TYPED_TEST(Room, LiesWithinItsBoundOfTheOracle) {
  CpuBackend backend;
  const Execution execution{2, InstructionSet::best, 0};
  std::vector<Numerics> requests{numerics_of(Math::fp32)};
  if constexpr (is_mac<TypeParam>) {
    for (const Arch arch : {Arch::sm_80, Arch::sm_90})
      for (const Rounding rounding : {Rounding::rna, Rounding::truncate}) {
        requests.push_back(numerics_of(Math::tf32, arch));
        requests.back().rounding = rounding;
      }
    requests.push_back(numerics_of(Math::fp32));
    requests.back().algorithm = Algorithm::chunk256;
    requests.push_back(numerics_of(Math::fp32));
    requests.back().algorithm = Algorithm::gemm_eigen;
    requests.back().promise = Determinism::run_to_run;
  }
  for (const Numerics& numerics : requests) {
    Judged all;
    for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
      const PlannedStage stage = planned(instance.graph(), numerics, backend),
                         in_double = planned(instance.graph(), numerics_of(Math::fp64), backend);
      const std::vector<Value> in =
          uploaded(backend, instance.inputs, Layout::row_major, execution);
      const std::vector<Tensor> got = downloaded(backend,
                                                 backend.run(stage, in, Reading::values, execution),
                                                 execution),
                                M = downloaded(
                                    backend, backend.run(stage, in, Reading::magnitudes, execution),
                                    execution);
      const double oracle = static_cast<double>(stage_terms(stage) + 8) * unit_roundoff_double;
      for (std::size_t k = 0; k < got.size(); ++k) {
        ASSERT_EQ(M[k].type(), got[k].type());
        // The oracle is asked about the first output; fp64 stands in for the others.
        std::vector<double> exact;
        if (k == 0)
          exact = backend.exact_values_at(stage, in, every_index(got[k].size()), execution);
        else
          exact = numbers_of<double>(backend.download(
              backend.run(in_double, in, Reading::values, execution)[k], execution));
        const Judged judged =
            judge(numbers_of<double>(got[k]), exact, M[k], stage_allowance(stage), oracle,
                  instance.text + output_text(k) + ", " + stage.contract_text());
        all.elements += judged.elements;
        all.informative += judged.informative;
      }
      backend.forget(stage);
      if (this->HasFailure()) return;
    }
    EXPECT_GT(all.informative * 2, all.elements) << "most elements must judge something";
  }
}

TYPED_TEST(Room, InDoubleLiesWithinItsBoundOfLongDouble) {
  CpuBackend backend;
  const Execution execution{2, InstructionSet::best, 0};
  for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
    const PlannedStage stage = planned(instance.graph(), numerics_of(Math::fp64), backend);
    const std::vector<Value> in = uploaded(backend, instance.inputs, Layout::row_major, execution);
    const std::vector<Tensor> got = downloaded(backend,
                                               backend.run(stage, in, Reading::values, execution),
                                               execution),
                              M = downloaded(backend,
                                             backend.run(stage, in, Reading::magnitudes, execution),
                                             execution);
    const std::vector<Dense<long double>> exact = instance.template expected<long double>();
    for (std::size_t k = 0; k < got.size(); ++k) {
      judge(numbers_of<double>(got[k]), exact[k].values, M[k], stage_allowance(stage), 0,
            instance.text + output_text(k));
    }
    const std::vector<double> sampled =
        backend.exact_values_at(stage, in, every_index(got[0].size()), execution);
    judge(sampled, exact[0].values, M[0], stage_allowance(stage), 0,
          instance.text + ", by exact_at");
    backend.forget(stage);
    if (this->HasFailure()) return;
  }
}

/// What rides on a MAC never changes bits: the fused stage equals the ops one after the other.
TYPED_TEST(MacRoom, RidersFuseToTheSameBits) {
  CpuBackend backend;
  int compared = 0;
  for (const Instance<TypeParam>& instance : instances<TypeParam>()) {
    const Shape y = instance.of.op.infer(instance.of.types).front().shape;
    if (y.size() < 2) continue;
    Shape channels(y.size(), 1);
    channels[1] = y[1];
    const Tensor shift = filled({Type::float32, channels}, Fill::real, 91),
                 scale = filled({Type::float32, {}}, Fill::real, 92);
    std::vector<std::optional<Tensor>> norm;
    for (std::uint64_t seed = 93; seed < 96; ++seed)
      norm.push_back(filled({Type::float32, {y[1]}}, Fill::real, seed));
    norm.push_back(Tensor::of({y[1]}, std::vector<float>(static_cast<std::size_t>(y[1]), 0.75F)));

    GraphBuilder builder("case");
    std::vector<TensorId> ids;
    for (std::size_t i = 0; i < instance.inputs.size(); ++i)
      ids.push_back(builder.add_input("x" + std::to_string(i), instance.inputs[i].type()));
    TensorId last =
        builder.add_step(instance.of.op, ids, instance.parameters, "node", {"mac"}).front();
    Dense<float> expected = instance.template expected<float>().front();
    const auto ride = [&](auto op, std::vector<std::optional<Tensor>> parameters,
                          std::string output) {
      reference::Operands<float> constants;
      for (const auto& parameter : parameters) constants.push_back(Dense<float>::of(*parameter));
      expected = reference::evaluate(op, {expected}, constants);
      last = builder.add_step(op, {last}, std::move(parameters), "", {std::move(output)}).front();
    };
    if (y.size() <= 4) ride(BatchNorm{}, norm, "norm");
    ride(Binary{Binary::Function::add}, {shift}, "shifted");
    ride(Unary{EpilogueKind::relu}, {}, "rectified");
    ride(Binary{Binary::Function::mul}, {scale}, "scaled");
    ride(Unary{EpilogueKind::sigmoid}, {}, "gate");
    builder.add_output(last);
    const PlannedStage stage = planned(builder.finish(), Numerics{}, backend);
    for (const InstructionSet set : instruction_sets()) {
      const Execution execution{2, set, 0};
      const std::vector<Value> in =
          uploaded(backend, instance.inputs, Layout::row_major, execution);
      const Tensor got =
          backend.download(backend.run(stage, in, Reading::values, execution).front(), execution);
      ASSERT_TRUE(same_bits(tensor_of(expected), got))
          << instance.text << ", " << name(set) << "\n"
          << first_difference<float>(tensor_of(expected), got);
      ++compared;
    }
    backend.forget(stage);
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace parity
