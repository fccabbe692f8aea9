#include "compare/capture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "compare/margins.hpp"
#include "compare/misread.hpp"
#include "model/arithmetic/half.hpp"
#include "model/error.hpp"
#include "reports/summary.hpp"
#include "tests/compare/recorded.hpp"

namespace parity {
namespace {

TEST(Capture, OfTheSameArithmeticAgreesInEveryBit) {
  Bench bench(small_net());
  const RunRecord record = judged(bench, recorded(bench, fp32()));
  for (const StageResult& stage : record.stages)
    EXPECT_EQ(stage.verdict, Verdict::same_bits) << stage.name;
  EXPECT_EQ(record.exit_code, 0);
}

TEST(Capture, ATensorOfTheWrongTypeIsCalledAsItsFileCallsIt) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  const auto& [name, right] = capture.tensors[1];
  const std::string wanted = to_string(right.type());
  capture.tensors[1].second =
      Tensor::of(right.shape(), std::vector<std::int64_t>(static_cast<std::size_t>(right.size())));
  const auto refusal = [&] {
    try {
      judged(bench, capture);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_input);
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string shape = " " + to_string(capture.tensors[1].second.shape());
  EXPECT_NE(refusal().find("is int64" + shape + ", but the model makes it " + wanted),
            std::string::npos)
      << refusal();
  capture.declared[name] = "int32";
  EXPECT_NE(refusal().find("is int32" + shape + ", but the model makes it " + wanted),
            std::string::npos)
      << refusal();
}

TEST(Capture, InHalfPrecisionIsNoted) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  const auto noted = [&] {
    for (const std::string& note : judged(bench, capture).notes)
      if (note.find("float16") != std::string::npos) return true;
    return false;
  };
  EXPECT_FALSE(noted());
  std::vector<float> halves;
  for (const float value : capture.tensors[1].second.values<float>())
    halves.push_back(round_to_half(value));
  capture.tensors[1].second = Tensor::of(capture.tensors[1].second.shape(), std::move(halves));
  EXPECT_TRUE(noted());
}

TEST(Capture, OfAnotherOrderOrFoldedBatchNormStaysWithinTheForeignBound) {
  Bench bench(small_net());
  for (const char* spec : {"eigen", "folded"})
    for (const char* own : {"fp32", "fp64"}) {
      const RunRecord record = judged(bench, recorded(bench, named(spec)), {}, named(own));
      EXPECT_TRUE(Bench::named(record).empty()) << spec << " against " << own;
      EXPECT_EQ(record.exit_code, 0) << spec;
    }
}

TEST(Capture, ThatIsCorrectIsNotCalledUnexplained) {
  // Bits that no arithmetic here makes, and that any order of summation may.
  int unidentified = 0, of_sums = 0;
  for (const bool recurrent : {false, true}) {
    Bench bench(recurrent ? sequence_net() : small_net());
    Capture capture = recorded(bench, fp32());
    for (std::size_t i = 0; i < bench.stages.size(); ++i) {
      if (bench.stages[i].macs == 0) continue;  // an addition has one order
      Tensor& tensor = capture.tensors[i].second;
      std::vector<float> values(tensor.values<float>().begin(), tensor.values<float>().end());
      for (std::size_t k = 0; k < values.size(); k += 3)
        // A convolution's noise is then more than its order alone would make.
        values[k] *= recurrent ? 1 + 0x1p-23F : 1 + 0x1p-20F;
      tensor = Tensor::of(tensor.shape(), std::move(values));
    }
    const RunRecord record = judged(bench, capture, {}, fp32(), {.attribute = attribute_all});
    EXPECT_TRUE(Bench::named(record).empty());
    for (const StageResult& stage : record.stages) {
      if (!stage.attribution) continue;
      for (const CauseShare& cause : stage.attribution->causes) {
        EXPECT_EQ(cause.what.find("not explained"), std::string::npos) << stage.name;
        if (cause.cause != Cause::rest) continue;
        ++unidentified;
        EXPECT_NE(cause.what.find("not identified (within bound)"), std::string::npos)
            << cause.what;
        // A GRU's bits depend on its functions as well.
        // A GRU's bits depend on its functions as well, as a sigmoid's.
        const bool sums_alone =
            stage.op_types.front() == "Conv" && stage.op_types.back() != "Sigmoid";
        EXPECT_EQ(cause.what.starts_with("order of summation"), sums_alone)
            << stage.name << ": " << cause.what;
        of_sums += sums_alone;
      }
    }
  }
  EXPECT_GT(of_sums, 0);
  EXPECT_GT(unidentified, of_sums);
}

TEST(Capture, OfTf32FitsTheTf32BoundAndNotTheFp32One) {
  Bench bench(small_net());
  for (const Arch arch : {Arch::sm_80, Arch::sm_90}) {
    const Capture capture = recorded(bench, tf32(arch));
    EXPECT_TRUE(Bench::named(judged(bench, capture, tf32(Arch::none))).empty());
    const RunRecord strict = judged(bench, capture, fp32());
    EXPECT_EQ(strict.exit_code, 1);
    for (const int id : Bench::named(strict))
      EXPECT_EQ(strict.stages[static_cast<std::size_t>(id)].blame, Blame::b);
  }
}

TEST(Capture, NamesTheStageThatComputedSomethingElse) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "b");
  int faults = 0;
  for (const PlannedStage& planned : plan.stages)
    for (const Injection& fault : {Injection{planned.stage.id, Bug::wrong_epsilon, 1},
                                   Injection{planned.stage.id, Bug::kernel_axes_swapped},
                                   Injection{planned.stage.id, Bug::weights_transposed},
                                   Injection{planned.stage.id, Bug::channel_scaled, 0.125}}) {
      if (!applies(fault, planned)) continue;
      const RunRecord record = judged(bench, recorded(bench, fp32(), fault));
      EXPECT_EQ(Bench::named(record), std::vector<int>{fault.stage}) << name(fault.bug);
      EXPECT_EQ(record.stages[static_cast<std::size_t>(fault.stage)].blame, Blame::b);
      ++faults;
    }
  EXPECT_GE(faults, 15);
}

TEST(Capture, AMissingTensorMakesItsStageAndItsReadersNotRun) {
  Bench bench(small_net());
  Capture capture = recorded(bench, eigen());
  std::erase_if(capture.tensors, [](const auto& t) { return t.first == "body.0.y"; });
  const RunRecord record = judged(bench, capture);
  EXPECT_EQ(record.stages[1].verdict, Verdict::not_run);
  EXPECT_FALSE(record.stages[1].accumulated);
  EXPECT_NE(record.stages[1].reason.find("body.0.y"), std::string::npos);
  EXPECT_EQ(record.stages[2].verdict, Verdict::not_run);
  EXPECT_TRUE(record.stages[2].accumulated);
  EXPECT_FALSE(record.stages[2].introduced);
  EXPECT_EQ(record.stages[3].verdict, Verdict::same_bits);  // an addition has one order
  EXPECT_EQ(record.stages[4].verdict, Verdict::within_bound);
  EXPECT_EQ(record.exit_code, 4);
}

TEST(Capture, StageNamesServeAsWellAsTensorNames) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  for (std::size_t i = 0; i < capture.tensors.size(); ++i)
    capture.tensors[i].first = bench.stages[i].name;
  EXPECT_EQ(judged(bench, capture).exit_code, 0);
}

TEST(Capture, SharesSumToOneAlsoWithHoles) {
  Bench bench(small_net());
  for (const char* hole : {"none", "stem.0.y", "body.2.y"}) {
    Capture capture = recorded(bench, eigen());
    std::erase_if(capture.tensors, [&](const auto& t) { return t.first == hole; });
    const RunRecord record = judged(bench, capture);
    double sum = 0;
    for (const StageResult& stage : record.stages) sum += stage.share_of_final;
    EXPECT_LE(std::fabs(sum - 1), 64 * 0x1p-53 * static_cast<double>(record.stages.size())) << hole;
  }
}

std::string refusal(Bench& bench, const Capture& capture) {
  try {
    judged(bench, capture);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::bad_input);
    return error.what();
  }
  return "no error";
}

TEST(Capture, WithoutAKnownNameIsRefusedWithTheNearest) {
  Bench bench(small_net());
  const Capture capture{"other.npz", {{"stem.0.yy", bench.inputs[0]}}};
  EXPECT_NE(refusal(bench, capture).find("did you mean 'stem.0.y'?"), std::string::npos)
      << refusal(bench, capture);
  EXPECT_NE(refusal(bench, {"empty.npz", {}}).find("it is empty"), std::string::npos);
  // The graph's input alone tells nothing about any stage.
  EXPECT_NE(
      refusal(bench, {"inputs.npz", {{"x", bench.inputs[0]}}}).find("but for inputs of the model"),
      std::string::npos);
}

TEST(Capture, OfAnotherShapeOrAnotherInputIsRefused) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  const Tensor right = capture.tensors[0].second;
  capture.tensors[0].second = right.reshaped({1, 16, 13, 11});
  EXPECT_NE(refusal(bench, capture).find("1x16x13x11"), std::string::npos)
      << refusal(bench, capture);
  capture.tensors[0].second = right;
  capture.tensors.emplace_back("x", filled(bench.inputs[0].type(), Fill::real, 8));
  EXPECT_NE(refusal(bench, capture).find("another input"), std::string::npos)
      << refusal(bench, capture);
}

TEST(Capture, ABlockThatEndsWithoutATensorHasNoLargestError) {
  Bench bench(small_net());
  Capture capture = recorded(bench, named("eigen"));
  const int whole = static_cast<int>(judged(bench, capture).blocks.size());
  capture.tensors.pop_back();
  const RunRecord record = judged(bench, capture);
  ASSERT_EQ(static_cast<int>(record.blocks.size()), whole);
  ASSERT_FALSE(record.blocks.empty());
  for (const BlockResult& block : record.blocks)
    EXPECT_EQ(std::isnan(block.max_abs), block.last == record.stages.back().id) << block.name;
}

TEST(Capture, InFloat64IsRefusedWithWhatToDo) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  auto& [name, tensor] = capture.tensors[2];
  tensor = to_float64(tensor);
  const std::string why = refusal(bench, capture);
  for (const std::string& part :
       {"'" + name + "'", std::string("is float64"), std::string("the model makes it float32"),
        std::string("cast to float32")})
    EXPECT_NE(why.find(part), std::string::npos) << part << " in " << why;
}

TEST(Capture, WorstShareOfTheBoundIsOfStagesWhoseBitsDiffer) {
  Bench bench(small_net());
  const RunRecord same = judged(bench, recorded(bench, fp32()));
  EXPECT_EQ(same.answers.worst_share_of_bound, 0);
  EXPECT_EQ(same.answers.worst_share_stage, -1);
  const RunRecord other = judged(bench, recorded(bench, named("eigen")));
  ASSERT_GE(other.answers.worst_share_stage, 0);
  for (const StageResult& stage : other.stages)
    if (stage.id == other.answers.worst_share_stage) {
      EXPECT_GT(stage.introduced->differing, 0);
    }
}

bool noted(const RunRecord& record, const std::string& part) {
  return std::any_of(record.notes.begin(), record.notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}
std::string notes_of(const RunRecord& record) {
  std::string all;
  for (const std::string& note : record.notes) all += note + "\n";
  return all;
}

TEST(Capture, ThatContradictsItselfSaysBehindWhichStageAndGivesNoSharesBeyondAll) {
  Bench bench(small_net());
  for (const int overwritten : {0, 1, 3}) {
    Capture capture = recorded(bench, eigen());
    Tensor& tensor = capture.tensors[static_cast<std::size_t>(overwritten)].second;
    tensor = filled(tensor.type(), Fill::real, 99);
    const RunRecord record = judged(bench, capture);
    SCOPED_TRACE(record.stages[static_cast<std::size_t>(overwritten)].name);
    EXPECT_EQ(Bench::named(record), std::vector<int>{overwritten});
    const StageResult& maker = record.stages[static_cast<std::size_t>(overwritten)];
    ASSERT_FALSE(maker.diagnoses.empty());
    EXPECT_EQ(maker.diagnoses.front().label, "recording_contradicts_itself");
    EXPECT_TRUE(noted(record, "contradicts itself behind " + maker.name)) << notes_of(record);
    EXPECT_TRUE(std::isnan(maker.accumulated_relative));
    EXPECT_EQ(maker.share_of_final, 0);
    int readers = 0;
    double sum = 0;
    for (const StageResult& stage : record.stages) {
      sum += stage.share_of_final;
      EXPECT_GE(stage.share_of_final, -1) << stage.name;
      EXPECT_LE(stage.share_of_final, 1.5) << stage.name;
      if (stage.verdict != Verdict::untrusted) continue;
      ++readers;
      EXPECT_NE(stage.reason.find("'" + maker.tensor + "'"), std::string::npos) << stage.reason;
      EXPECT_EQ(stage.amplification, 0);
      EXPECT_FALSE(stage.introduced);
    }
    EXPECT_EQ(readers, overwritten == 0 ? 2 : 1);
    EXPECT_LE(std::fabs(sum - 1), 64 * 0x1p-53 * static_cast<double>(record.stages.size()));
    EXPECT_EQ(record.exit_code, 1);
  }
}

TEST(Capture, WithAFaultThatLaterStagesSawContradictsNothing) {
  Bench bench(small_net());
  const RunRecord record =
      judged(bench, recorded(bench, fp32(), Injection{1, Bug::weights_transposed}));
  EXPECT_EQ(record.answers.counts[static_cast<int>(Verdict::untrusted)], 0);
  EXPECT_FALSE(noted(record, "contradicts"));
}

TEST(Capture, RoundedToFloat16WhenRecordedStaysWithinTheBoundAndIsCalledSo) {
  Bench bench(small_net());
  for (const char* spec : {"fp32", "eigen", "folded"}) {
    Capture capture = recorded(bench, named(spec));
    for (auto& [name, tensor] : capture.tensors) tensor = rounded_to_half(tensor);
    const RunRecord record = judged(bench, capture);
    EXPECT_TRUE(Bench::named(record).empty()) << spec;
    EXPECT_TRUE(noted(record, "Only the recording was rounded")) << notes_of(record);
  }
}

TEST(Capture, ComputedInFloat16IsToldFromRoundedAfterwards) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "half");
  std::map<TensorId, Value> made;
  made[bench.graph.inputs[0]] = bench.cpu.upload(bench.inputs[0], bench.execution);
  Capture capture{"half.npz", {}};
  for (const PlannedStage& planned : plan.stages) {
    std::vector<Value> x;
    for (const TensorId id : planned.stage.inputs) x.push_back(made.at(id));
    const Misreading& half = *misreading_of(Bug::half_operands);
    const Seat seat{planned, bench.cpu, x, bench.execution};
    const Value y = half.applies(planned)
                        ? run_misread(seat, half.make(seat, 1), Reading::values)[0]
                        : bench.cpu.run(planned, x, Reading::values, bench.execution)[0];
    const Tensor rounded = rounded_to_half(bench.cpu.download(y, bench.execution));
    capture.tensors.emplace_back(planned.stage.output_names[0], rounded);
    made[planned.stage.outputs[0]] = bench.cpu.upload(rounded, bench.execution);
  }
  const RunRecord record = judged(bench, capture);
  EXPECT_TRUE(noted(record, "The runtime computed in float16")) << notes_of(record);
  // Only the first stage's input is known as it was: there the operands' rounding is proved.
  EXPECT_EQ(Bench::named(record), std::vector<int>{0});
  ASSERT_FALSE(record.stages[0].diagnoses.empty());
  EXPECT_EQ(record.stages[0].diagnoses.front().label, name(Bug::half_operands));
  EXPECT_NE(record.stages[0].diagnoses.front().proof, Proof::pattern);
}

TEST(Capture, Float16IsNoExcuseForAFault) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32(), Injection{2, Bug::kernel_axes_swapped});
  for (auto& [name, tensor] : capture.tensors) tensor = rounded_to_half(tensor);
  const RunRecord record = judged(bench, capture);
  EXPECT_EQ(Bench::named(record), std::vector<int>{2});
  ASSERT_FALSE(record.stages[2].diagnoses.empty());
  EXPECT_EQ(record.stages[2].diagnoses.front().label, name(Bug::kernel_axes_swapped));
}

/// x through a convolution or, without one, a scale, then f: its input is rounded by the recording.
Graph steep_net(EpilogueKind function, const std::string& type, bool with_product) {
  GraphBuilder graph("steep");
  TensorId z = graph.add_input("x", {Type::float32, {1, 8, 11, 13}});
  Binary times;
  times.function = Binary::Function::mul;
  if (with_product) z = add_conv(graph, z, 6, "/0/Conv", "z", 1);
  z = graph
          .add_step(times, {z}, {Tensor::of({}, std::vector<float>{2.3F})}, "/1/Mul", {"scaled"},
                    "Mul")
          .front();
  if (function == EpilogueKind::log || function == EpilogueKind::sqrt)
    z = graph.add_step(Unary{EpilogueKind::abs}, {z}, {}, "/2/Abs", {"abs"}, "Abs").front();
  graph.add_output(graph.add_step(Unary{function}, {z}, {}, "/3/" + type, {"y"}, type).front());
  return graph.finish();
}

TEST(Capture, OfASteepFunctionInFloat16IsWithinTheBoundThatItsSlopeMakes) {
  const std::pair<EpilogueKind, const char*> functions[] = {
      {EpilogueKind::exp, "Exp"},
      {EpilogueKind::log, "Log"},
      {EpilogueKind::sqrt, "Sqrt"},
      {EpilogueKind::reciprocal, "Reciprocal"}};
  for (const auto& [function, type] : functions)
    for (const bool with_product : {true, false}) {
      SCOPED_TRACE(std::string(type) + (with_product ? " behind a product" : ""));
      Bench bench(steep_net(function, type, with_product));
      const auto in_half = [&](const std::optional<Injection>& fault) {
        Capture capture = recorded(bench, fp32(), fault);
        for (auto& [name, tensor] : capture.tensors) tensor = rounded_to_half(tensor);
        return judged(bench, capture);
      };
      const RunRecord record = in_half({});
      for (const StageResult& stage : record.stages)
        EXPECT_EQ(stage.verdict, Verdict::within_bound) << stage.name << ": " << stage.reason;
      EXPECT_TRUE(noted(record, "holds float16")) << notes_of(record);
      // A fault of the function itself is no rounding.
      const int last = static_cast<int>(bench.stages.size()) - 1;
      const RunRecord faulty = in_half(Injection{last, Bug::channel_scaled, 0.125});
      EXPECT_EQ(Bench::named(faulty), std::vector<int>{last});
    }
}

TEST(Capture, OfADivisorInFloat16IsWithinTheBound) {
  GraphBuilder graph("quotient");
  const TensorId x = graph.add_input("x", {Type::float32, {1, 8, 11, 13}});
  const TensorId a = add_conv(graph, x, 6, "/0/Conv", "a", 1);
  TensorId b = add_conv(graph, x, 6, "/1/Conv", "b", 2);
  Binary op;
  op.function = Binary::Function::mul;
  // Divisors down to where float16 has no more bits.
  b = graph
          .add_step(op, {b}, {Tensor::of({}, std::vector<float>{1e-5F})}, "/2/Mul", {"small"},
                    "Mul")
          .front();
  op.function = Binary::Function::div;
  graph.add_output(graph.add_step(op, {a, b}, {}, "/3/Div", {"y"}, "Div").front());
  Bench bench(graph.finish());
  Capture capture = recorded(bench, fp32());
  for (auto& [name, tensor] : capture.tensors)
    if (name != "y") tensor = rounded_to_half(tensor);
  EXPECT_TRUE(Bench::named(judged(bench, capture)).empty());
}

TEST(Capture, AnInputRecordedInFloat16IsTheInputThatWasGiven) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  for (auto& [name, tensor] : capture.tensors) tensor = rounded_to_half(tensor);
  capture.tensors.emplace_back("x", rounded_to_half(bench.inputs[0]));
  EXPECT_TRUE(Bench::named(judged(bench, capture)).empty());
}

TEST(Capture, Tf32AsAPermissionIsNotReadAsItsUse) {
  Bench bench(small_net());
  const Plan plan = make_plan(bench.stages, fp32(), bench.cpu, "a");
  for (const char* spec : {"fp32", "eigen"}) {
    const RunRecord record = diff_capture({.graph = bench.graph,
                                           .stages = bench.stages,
                                           .a = {bench.cpu, plan, bench.execution},
                                           .referee = {bench.cpu, bench.cpu, bench.execution},
                                           .inputs = bench.inputs,
                                           .capture = recorded(bench, named(spec)),
                                           .spec = "capture:other.npz,math=tf32",
                                           .numerics = tf32(Arch::none),
                                           .attribute = attribute_all});
    EXPECT_TRUE(noted(record, "TF32 was not used")) << spec << notes_of(record);
    for (const CauseTotal& cause : record.answers.causes)
      EXPECT_EQ(cause.cause, Cause::order) << cause.what;
  }
}

TEST(Capture, OneStageThatNeedsTf32IsPointedAt) {
  Bench bench(small_net());
  Plan mixed = make_plan(bench.stages, eigen(), bench.cpu, "mixed");
  mixed.stages[2] = make_plan(bench.stages, tf32(Arch::sm_80), bench.cpu, "tf32").stages[2];
  Capture capture{"other.npz", {}};
  run({.graph = bench.graph,
       .plan = mixed,
       .backend = bench.cpu,
       .execution = bench.execution,
       .inputs = bench.inputs,
       .tap = [&](const PlannedStage& planned, std::span<const Value> outputs) {
         capture.tensors.emplace_back(planned.stage.output_names[0],
                                      bench.cpu.download(outputs[0], bench.execution));
       }});
  const RunRecord record = judged(bench, capture, tf32(Arch::none));
  EXPECT_TRUE(Bench::named(record).empty());
  EXPECT_TRUE(noted(record, "only '" + record.stages[2].name + "' needs it")) << notes_of(record);
  EXPECT_FALSE(noted(judged(bench, recorded(bench, tf32(Arch::sm_80)), tf32(Arch::none)), "TF32"));
}

TEST(Capture, ANanThatTheOtherRuntimeSwallowedIsADivergence) {
  Bench bench(small_net());
  std::vector<float> values(bench.inputs[0].values<float>().begin(),
                            bench.inputs[0].values<float>().end());
  values[40] = std::numeric_limits<float>::quiet_NaN();
  bench.inputs[0] = Tensor::of<float>(bench.inputs[0].shape(), values);
  EXPECT_EQ(judged(bench, recorded(bench, fp32())).exit_code, 0);

  const RunRecord record = judged(bench, recorded(bench, fp32(), Injection{1, Bug::nan_swallowed}));
  EXPECT_EQ(Bench::named(record), std::vector<int>{1});
  EXPECT_EQ(record.stages[1].blame, Blame::b);
  EXPECT_EQ(record.exit_code, 1);
}

TEST(Capture, DecisionsAreJudgedAtItsOutputs) {
  Bench bench(small_net());
  const std::string output = bench.graph.tensor(bench.graph.outputs[0]).name;
  const std::vector<Decision> decisions = {parse_decision(output + "=argmax")};
  const RunRecord record =
      judged(bench, recorded(bench, fp32()), {}, fp32(), {.decisions = decisions});
  ASSERT_EQ(record.decisions.size(), 1U);
  EXPECT_GT(record.decisions[0].decisions, 0);
  EXPECT_EQ(record.decisions[0].flipped, 0);
}

TEST(Capture, TensorsThatSayNothingAreToldWhereAStageLacksOne) {
  Bench bench(small_net());
  Capture capture = recorded(bench, fp32());
  EXPECT_FALSE(noted(judged(bench, capture), "not used"));
  capture.tensors.emplace_back("body.0.z", capture.tensors[1].second);
  EXPECT_FALSE(noted(judged(bench, capture), "not used")) << "nothing is missing";
  capture.tensors[1].first = "body.0.yy";
  const RunRecord record = judged(bench, capture);
  EXPECT_TRUE(noted(record, "2 of 7 tensors in other.npz are not used")) << notes_of(record);
  EXPECT_TRUE(noted(record, "1 lie inside a stage")) << notes_of(record);
  EXPECT_TRUE(noted(record, "'body.0.yy' (nearest: 'body.0.y')")) << notes_of(record);
}

TEST(Capture, AStageThatWasNotJudgedIsNoSource) {
  Bench bench(small_net());
  Capture capture = recorded(bench, eigen());
  std::erase_if(capture.tensors, [](const auto& t) { return t.first != "y"; });
  const RunRecord record = judged(bench, capture);
  const std::vector<const StageResult*> from = reports::origins(record, 5);
  ASSERT_EQ(from.size(), 1U);
  EXPECT_EQ(reports::origin_name(*from[0]), "somewhere up to head.1 (not judged)");
}

TEST(Capture, OfInputsThatAreZeroIsNoted) {
  Bench bench(small_net());
  EXPECT_FALSE(noted(judged(bench, recorded(bench, fp32())), "zero throughout"));
  bench.inputs[0] =
      Tensor::of(bench.inputs[0].shape(),
                 std::vector<float>(static_cast<std::size_t>(bench.inputs[0].size())));
  EXPECT_TRUE(noted(judged(bench, recorded(bench, fp32())), "zero throughout"));
  EXPECT_TRUE(noted(bench.run(fp32(), fp64()), "zero throughout"));
}

}  // namespace
}  // namespace parity
