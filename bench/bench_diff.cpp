// What a diff costs beside the runs it needs: A, B, the shared-input run and one pass of magnitudes
// for each stage whose bits differ (CONTRACTS section 7). A and B are run alone in alternation with
// the diff; the other two are taken from the diff's own stage times.

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/bench.hpp"
#include "compare/differ.hpp"
#include "compare/run.hpp"
#include "cpu/backend.hpp"
#include "model/plan.hpp"
#include "model/spec.hpp"

namespace {

using namespace parity;

struct Options {
  std::string model = "sample:second/A";
  std::string a = "cpu:fp32", b = "cpu:tf32@sm_90";
  std::string input = "pillars:7";
  int threads = 1;
  int runs = 3;
};

int measure(const Options& options) {
  cpu::CpuBackend backend;
  Execution execution;
  execution.threads = options.threads;
  const Graph graph = bench::load(options.model, backend, execution);
  const std::vector<Stage> stages = cut(graph);
  const Plan a = make_plan(stages, parse_spec(options.a).numerics, backend, options.a);
  const Plan b = make_plan(stages, parse_spec(options.b).numerics, backend, options.b);
  const std::vector<Tensor> inputs = bench::make_inputs(graph, options.input);
  const DiffRequest request{.graph = graph,
                            .stages = stages,
                            .a = {backend, a, execution},
                            .b = {backend, b, execution},
                            .referee = {backend, backend, execution},
                            .inputs = inputs,
                            .tolerance = {}};
  const auto run_alone = [&](const Plan& plan) {
    return bench::seconds([&] {
      const RunResult result = run({graph, plan, backend, execution, inputs});
      for (const Value& output : result.outputs) backend.download(output, execution);
    });
  };

  std::vector<double> of_a, of_b, of_local, of_magnitude, of_diff, ratios;
  for (int i = 0; i < options.runs; ++i) {
    of_a.push_back(run_alone(a));
    of_b.push_back(run_alone(b));
    RunRecord record;
    of_diff.push_back(bench::seconds([&] { record = diff(request); }));
    double local = 0, magnitude = 0;
    for (const StageResult& stage : record.stages) {
      local += stage.seconds_local;
      magnitude += stage.seconds_magnitude;
    }
    of_local.push_back(local);
    of_magnitude.push_back(magnitude);
    ratios.push_back(of_diff.back() / (of_a.back() + of_b.back() + local + magnitude));
  }
  const nlohmann::ordered_json result{{"model", options.model},
                                      {"a", options.a},
                                      {"b", options.b},
                                      {"threads", options.threads},
                                      {"device", cpu::processor_info(execution).device},
                                      {"runs", options.runs},
                                      {"a_seconds", bench::median(of_a)},
                                      {"b_seconds", bench::median(of_b)},
                                      {"local_seconds", bench::median(of_local)},
                                      {"magnitude_seconds", bench::median(of_magnitude)},
                                      {"diff_seconds", bench::median(of_diff)},
                                      {"diff_over_needed_runs", bench::median(ratios)}};
  std::cout << result.dump(2) << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("times a diff and, alternating with it, the runs it needs; prints JSON");
  Options options;
  app.add_option("model", options.model, "ONNX file or sample:NAME")->capture_default_str();
  app.add_option("--a", options.a)->capture_default_str();
  app.add_option("--b", options.b)->capture_default_str();
  app.add_option("--input", options.input, "generator for every input")->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--runs", options.runs)->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return measure(options);
  } catch (const std::exception& why) {
    std::cerr << "bench_diff: " << why.what() << '\n';
    return 1;
  }
}
