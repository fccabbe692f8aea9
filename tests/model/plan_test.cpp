#include "model/plan.hpp"

#include "cpu/backend.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/select.hpp"
#include "tests/model/accepting.hpp"
#include "tests/model/small_graph.hpp"

namespace parity {
namespace {

OperandTypes conv_types(std::int64_t channels, std::int64_t group) {
  return {{{Type::float32, {1, channels, 8, 8}}},
          {TensorType{Type::float32, {channels, channels / group, 3, 3}}, std::nullopt}};
}

Conv2d conv_op(std::int64_t group) {
  Conv2d op;
  op.group = group;
  op.window.kernel = {3, 3};
  return op;
}

TEST(Select, Tf32MeansTheArchsTensorCore) {
  for (const auto& [arch, text] :
       {std::pair(Arch::sm_80, "tensor:k4f24/rna"), std::pair(Arch::sm_89, "tensor:k4f24/rna"),
        std::pair(Arch::sm_90, "tensor:k8f25/rna"), std::pair(Arch::sm_120, "tensor:k8f25/rna")})
    EXPECT_EQ(select(conv_op(1), conv_types(16, 1), numerics_of(Math::tf32, arch)).text(), text);
}

TEST(Select, ThinGroupsTakeTheStrongerChainAndSaySo) {
  const Contract thin = select(conv_op(4), conv_types(16, 4), numerics_of(Math::tf32, Arch::sm_90));
  EXPECT_EQ(thin.text(), "chain");
  EXPECT_TRUE(thin.stronger);
  const Contract wide = select(conv_op(2), conv_types(16, 2), numerics_of(Math::tf32, Arch::sm_90));
  EXPECT_EQ(wide.text(), "tensor:k8f25/rna");
  EXPECT_FALSE(wide.stronger);
}

TEST(Select, Chunk256IsAskedForByNameAndKeepsTheStrongestPromise) {
  Numerics numerics = numerics_of(Math::fp32);
  numerics.algorithm = Algorithm::chunk256;
  const Contract contract = select(conv_op(1), conv_types(16, 1), numerics);
  EXPECT_EQ(contract.text(), "chunk256");
  EXPECT_EQ(contract.promise, Determinism::host_to_gpu);
  numerics.conv = Math::tf32;
  numerics.arch = Arch::sm_90;
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), numerics), Error);
}

TEST(Select, ALibrarysOrderIsAskedForByNameAndPromisesRunToRun) {
  Numerics numerics = numerics_of(Math::fp32);
  numerics.algorithm = Algorithm::gemm_cublas;
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), numerics), Error)
      << "host_to_gpu was promised for a library's order";
  numerics.promise = Determinism::run_to_run;
  EXPECT_EQ(select(conv_op(1), conv_types(16, 1), numerics).text(), "gemm:cublas");
  Numerics tf32 = numerics_of(Math::tf32, Arch::sm_90);
  tf32.algorithm = Algorithm::gemm_cublas;
  tf32.rounding = Rounding::truncate;
  tf32.promise = Determinism::run_to_run;
  const Contract contract = select(conv_op(1), conv_types(16, 1), tf32);
  EXPECT_EQ(contract.text(), "gemm:cublas/truncate");
  EXPECT_EQ(contract.promise, Determinism::run_to_run);
}

TEST(Select, CorrectlyRoundedFunctionsAreAClauseOfTheContract) {
  Numerics numerics;
  const OperandTypes types{{{Type::float32, {2, 3}}}, {}};
  EXPECT_EQ(select(Unary{EpilogueKind::sigmoid}, types, numerics).text(),
            "elementwise/sigmoid=paritylab");
  numerics.functions = Functions::correct;
  const Contract correct = select(Unary{EpilogueKind::sigmoid}, types, numerics);
  EXPECT_EQ(correct.text(), "elementwise/sigmoid=correct");
  EXPECT_EQ(correct.promise, Determinism::host_to_gpu);
  // Half an ULP, and what M's own roundings take.
  EXPECT_EQ(Unary{EpilogueKind::sigmoid}.allowance(types, {}, correct).own.coefficient,
            0x1p-24 * (1 + 0x1p-20));
  EXPECT_EQ(select(Unary{EpilogueKind::relu}, types, numerics).text(), "elementwise");
  EXPECT_EQ(select(Unary{EpilogueKind::swish, 1}, types, numerics).text(),
            "elementwise/swish=correct");
  for (const Unary& op : {Unary{EpilogueKind::swish, 1.5F}, Unary{EpilogueKind::elu, 1}}) {
    try {
      (void)select(op, types, numerics);
      FAIL() << "nothing proves a correctly rounded " << op.kind();
    } catch (const Error& e) {
      EXPECT_EQ(e.fault(), Fault::bad_request);
      EXPECT_NE(std::string(e.what()).find(op.kind()), std::string::npos) << e.what();
    }
  }
}

TEST(Select, NeverReadsBatchOrSpace) {
  OperandTypes large = conv_types(16, 1);
  large.inputs[0].shape = {64, 16, 512, 512};
  const Numerics numerics = numerics_of(Math::tf32, Arch::sm_80);
  EXPECT_EQ(select(conv_op(1), large, numerics).text(),
            select(conv_op(1), conv_types(16, 1), numerics).text());
}

TEST(Select, RefusesWhatNoArchitectureKeeps) {
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), numerics_of(Math::tf32, Arch::sm_75)),
               Error);
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), numerics_of(Math::tf32)), Error);
  Numerics nearest_even = numerics_of(Math::tf32, Arch::sm_80);
  nearest_even.rounding = Rounding::rn;
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), nearest_even), Error);
  Numerics promised = numerics_of(Math::fp64);
  promised.promise = Determinism::host_to_gpu;
  EXPECT_THROW((void)select(conv_op(1), conv_types(16, 1), promised), Error)
      << "fp64 promises run_to_run only";
}

class Planned : public testing::Test {
 protected:
  Planned() {
    GraphBuilder builder("net");
    TensorId x = builder.add_input("x", {Type::float32, {1, 8, 9, 9}});
    for (int i = 0; i < 2; ++i) {
      const std::string n = std::to_string(i);
      x = add_conv(builder, x, 8, "/b/b." + n + "/Conv", "c" + n, 1);
      x = add_norm(builder, x, "", "n" + n, 2);
      x = add_relu(builder, x, "", "r" + n);
    }
    builder.add_output(x);
    graph = builder.finish();
    stages = cut(graph);
  }

  Graph graph;
  std::vector<Stage> stages;
  cpu::CpuBackend backend;
};

TEST_F(Planned, FoldingIsAClauseOfTheNumericsAndOfTheContract) {
  Numerics folded = numerics_of(Math::fp32);
  folded.batch_norm = BatchNormalisation::folded;
  const Plan plan = make_plan(stages, folded, backend, "cpu:fp32,fold_bn=yes");
  EXPECT_EQ(plan.stages[0].contract_text(), "chain+bnfold");
  EXPECT_EQ(plan.stages[0].stage.steps.size(), 2U);
  EXPECT_NE(plan.stages[0].stage.steps[0].parameters[1], nullptr) << "the shift became a bias";
  EXPECT_EQ(
      make_plan(stages, numerics_of(Math::fp32), backend, "cpu:fp32").stages[0].contract_text(),
      "chain");
}

TEST_F(Planned, TheProcessorHasNoLibraryOfTheGpu) {
  for (const Math math : {Math::fp32, Math::tf32}) {
    Numerics numerics = numerics_of(math, math == Math::tf32 ? Arch::sm_80 : Arch::none);
    numerics.algorithm = Algorithm::gemm_cublas;
    numerics.promise = Determinism::run_to_run;
    try {
      (void)make_plan(stages, numerics, backend, "cpu:SPEC");
      FAIL() << "the processor accepted gemm:cublas";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("cuda:fp32,algorithm=gemm:cublas"),
                std::string::npos)
          << error.what();
      // One sentence for both stages.
      EXPECT_EQ(std::string(error.what()).find("no plan for cpu:SPEC: b.0 and 1 more: "), 0U)
          << error.what();
    }
    // What stands in for it where the processor examines a stage of it.
    const Accepting gpu(backend);
    const Plan plan = make_plan(stages, numerics, gpu, "cuda:SPEC");
    const PlannedStage stage = emulated(plan.stages[0]);
    EXPECT_EQ(stage.contract_text(), math == Math::tf32 ? "tensor:k4f24/rna" : "chain");
    EXPECT_FALSE(backend.refuses(stage));
    EXPECT_EQ(make_plan(stages, stage.numerics, backend, "cpu:SPEC").stages[0].contract_text(),
              stage.contract_text());
  }
}

TEST_F(Planned, PlansAreFilesAndReplayed) {
  const Plan plan =
      make_plan(stages, numerics_of(Math::tf32, Arch::sm_90), backend, "cpu:tf32@sm_90");
  const std::string file = write_plan(plan, graph);
  const Plan replayed = read_plan(file, graph, stages, backend);
  EXPECT_EQ(write_plan(replayed, graph), file);
  EXPECT_EQ(replayed.numerics, plan.numerics);
}

TEST_F(Planned, WhoseFunctionsIsPartOfThePlanFile) {
  Numerics numerics;
  numerics.functions = Functions::correct;
  const Plan plan = make_plan(stages, numerics, backend, "cpu:fp32,functions=correct");
  const Plan replayed = read_plan(write_plan(plan, graph), graph, stages, backend);
  EXPECT_EQ(replayed.numerics, numerics);
}

TEST_F(Planned, APlanFileThatDoesNotFitIsRefusedWithASentence) {
  const std::string file =
      write_plan(make_plan(stages, numerics_of(Math::fp32), backend, "cpu:fp32"), graph);
  for (const std::string& broken :
       {std::string(), std::string("{}"), std::string("[1]"), file.substr(0, file.size() / 2),
        std::string(file).replace(file.find("b.0"), 3, "b.9"),
        std::string(file).replace(file.find("\"chain\""), 7, "\"move\"")}) {
    try {
      (void)read_plan(broken, graph, stages, backend);
      FAIL() << "accepted: " << broken;
    } catch (const Error& e) {
      EXPECT_EQ(e.fault(), Fault::bad_input) << e.what();
    }
  }
}

TEST_F(Planned, APlanOfAnotherModelIsRefused) {
  graph.digest = "one";
  const std::string file =
      write_plan(make_plan(stages, numerics_of(Math::fp32), backend, "cpu:fp32"), graph);
  graph.digest = "another";
  try {
    (void)read_plan(file, graph, stages, backend);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.fault(), Fault::bad_input);
    EXPECT_NE(std::string(e.what()).find("another"), std::string::npos) << e.what();
  }
}

TEST_F(Planned, PlanDifferencesNameClausesAndStages) {
  const auto file_of = [&](const Numerics& numerics) {
    return parse_plan(write_plan(make_plan(stages, numerics, backend, "x"), graph));
  };
  const PlanFile fp32 = file_of(numerics_of(Math::fp32));
  const PlanFile tf32 = file_of(numerics_of(Math::tf32, Arch::sm_90));
  EXPECT_TRUE(plan_differences(fp32, fp32).empty());
  std::vector<std::string> where;
  for (const PlanDifference& each : plan_differences(fp32, tf32)) where.push_back(each.where);
  EXPECT_EQ(where,
            (std::vector<std::string>{"conv", "matmul", "rnn", "arch", "stage b.0", "stage b.1"}));
  PlanFile shorter = fp32;
  shorter.stages.pop_back();
  ASSERT_EQ(plan_differences(shorter, fp32).size(), 1U);
  EXPECT_EQ(plan_differences(shorter, fp32)[0].a, "");
  EXPECT_EQ(plan_differences(fp32, shorter)[0].b, "");
}

TEST_F(Planned, FusedAndUnfusedAreTheSameBits) {
  const Plan plan = make_plan(stages, numerics_of(Math::fp32), backend, "cpu:fp32");
  const Execution execution{2, InstructionSet::best, 0};
  const std::vector<Value> in{
      backend.upload(filled({Type::float32, {1, 8, 9, 9}}, Fill::hostile, 3), execution)};
  const Tensor fused =
      backend.download(backend.run(plan.stages[0], in, Reading::values, execution)[0], execution);
  // The same steps, each a stage of its own, so that nothing can ride.
  std::vector<Value> value = in;
  for (std::size_t i = 0; i < stages[0].steps.size(); ++i) {
    PlannedStage alone{stages[0], plan.numerics, {plan.stages[0].contracts[i]}};
    alone.stage.steps = {stages[0].steps[i]};
    alone.stage.inputs = alone.stage.steps[0].inputs;
    alone.stage.outputs = alone.stage.steps[0].outputs;
    alone.stage.input_types = {value[0].type()};
    value = backend.run(alone, value, Reading::values, execution);
  }
  EXPECT_TRUE(same_bits(fused, backend.download(value[0], execution)));
}

TEST_F(Planned, ExactAtSampledElementsIsTheWholeExactStage) {
  const Plan plan = make_plan(stages, numerics_of(Math::exact), backend, "cpu:exact");
  const Execution execution{1, InstructionSet::best, 0};
  const std::vector<Value> in{
      backend.upload(filled({Type::float32, {1, 8, 9, 9}}, Fill::real, 3), execution)};
  const Tensor whole =
      backend.download(backend.run(plan.stages[0], in, Reading::values, execution)[0], execution);
  std::vector<std::int64_t> all(static_cast<std::size_t>(whole.size()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const std::vector<double> sampled = backend.exact_values_at(plan.stages[0], in, all, execution);
  const Tensor magnitude = backend.download(
      backend.run(plan.stages[0], in, Reading::magnitudes, execution)[0], execution);
  const double unit = (static_cast<double>(stage_terms(plan.stages[0])) + 8) * unit_roundoff_double;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double bound = unit_roundoff * std::abs(sampled[i]) +
                         2 * unit * static_cast<double>(magnitude.values<float>()[i]);
    EXPECT_LE(std::abs(static_cast<double>(whole.values<float>()[i]) - sampled[i]), bound)
        << "element " << i;
  }
}

}  // namespace
}  // namespace parity
