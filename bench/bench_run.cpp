// Times a network on the CPU backend, stage by stage, and prints JSON lines.
//
// With --wait it runs once per line of standard input, so that a driver can alternate it with
// another program; with --runs it runs that often by itself. Each line holds the seconds of
//   seconds           the caller's row-major tensors in, row-major tensors out: both layout
//   conversions included resident_seconds  the stages alone, values staying in the backend's layout

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/bench.hpp"
#include "cpu/backend.hpp"
#include "model/error.hpp"
#include "model/plan.hpp"
#include "model/spec.hpp"

namespace {

using namespace parity;

struct Options {
  std::string model = "sample:second_fpn/A";
  std::string spec = "cpu:fp32";
  std::string until;
  std::string input = "pillars:7";
  std::string instruction_set = "best";
  int threads = 1;
  int runs = 5;
  bool wait = false;
};

/// One run of the whole plan, values dropped after their last reader.
class Runner {
 public:
  Runner(Graph graph, const Options& options)
      : graph_(std::move(graph)),
        stages_(cut(graph_)),
        plan_(make_plan(stages_, parse_spec(options.spec).numerics, backend_, options.spec)),
        inputs_(bench::make_inputs(graph_, options.input)),
        stage_seconds_(stages_.size()) {
    execution_.threads = options.threads;
    execution_.instruction_set = *instruction_set_named(options.instruction_set);
    readers_.assign(graph_.tensors.size(), 0);
    for (const Stage& stage : stages_)
      for (const TensorId id : stage.inputs) ++readers_[index_of(id)];
    for (const TensorId id : graph_.outputs) ++readers_[index_of(id)];
  }

  nlohmann::ordered_json once() {
    double resident = 0;
    const std::clock_t start = std::clock();
    const double all = bench::seconds([&] {
      std::vector<Value> values(graph_.tensors.size());
      std::vector<int> readers = readers_;
      for (std::size_t i = 0; i < inputs_.size(); ++i)
        values[index_of(graph_.inputs[i])] = backend_.upload(inputs_[i], execution_);
      resident = bench::seconds([&] { walk(values, readers); });
      for (const TensorId id : graph_.outputs) backend_.download(values[index_of(id)], execution_);
    });
    const double processor = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    return {{"seconds", all}, {"resident_seconds", resident}, {"processor_seconds", processor}};
  }

  std::int64_t macs() const {
    std::int64_t sum = 0;
    for (const Stage& stage : stages_) sum += stage.macs;
    return sum;
  }

  /// Median seconds and rate of every stage since the start.
  nlohmann::ordered_json stages() const {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const double seconds = bench::median(stage_seconds_[s]);
      rows.push_back({{"name", stages_[s].name},
                      {"contract", plan_.stages[s].contract_text()},
                      {"seconds", seconds},
                      {"gflops", 2e-9 * static_cast<double>(stages_[s].macs) / seconds}});
    }
    return rows;
  }

 private:
  void walk(std::vector<Value>& values, std::vector<int>& readers) {
    for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
      const Stage& stage = plan_.stages[s].stage;
      stage_seconds_[s].push_back(bench::seconds([&] {
        std::vector<Value> in;
        for (const TensorId id : stage.inputs) in.push_back(values[index_of(id)]);
        std::vector<Value> out = backend_.run(plan_.stages[s], in, Reading::values, execution_);
        for (std::size_t i = 0; i < out.size(); ++i)
          values[index_of(stage.outputs[i])] = std::move(out[i]);
      }));
      for (const TensorId id : stage.inputs)
        if (--readers[index_of(id)] == 0) values[index_of(id)] = {};
    }
  }

  Graph graph_;
  std::vector<Stage> stages_;
  cpu::CpuBackend backend_;
  Plan plan_;
  std::vector<Tensor> inputs_;
  Execution execution_;
  std::vector<int> readers_;
  std::vector<std::vector<double>> stage_seconds_;
};

int measure(const Options& options) {
  cpu::CpuBackend settler;
  Execution settling;
  settling.threads = options.threads;
  Graph graph = bench::load(options.model, settler, settling);
  if (!options.until.empty()) graph = part_of(graph, "", options.until);
  Runner runner(std::move(graph), options);
  runner.once();  // packs the weights and touches every page

  if (options.wait) {
    std::cout << nlohmann::ordered_json{{"macs", runner.macs()}}.dump() << std::endl;
    for (std::string line; std::getline(std::cin, line);)
      std::cout << runner.once().dump() << std::endl;
    return 0;
  }
  std::vector<double> all, resident;
  for (int i = 0; i < options.runs; ++i) {
    const nlohmann::ordered_json row = runner.once();
    all.push_back(row["seconds"]);
    resident.push_back(row["resident_seconds"]);
  }
  const double median = bench::median(all), median_resident = bench::median(resident);
  const double gflop = 2e-9 * static_cast<double>(runner.macs());
  const nlohmann::ordered_json result{{"model", options.model},
                                      {"spec", options.spec},
                                      {"threads", options.threads},
                                      {"instruction_set", options.instruction_set},
                                      {"device", cpu::processor_info(settling).device},
                                      {"runs", options.runs},
                                      {"gflop", gflop},
                                      {"seconds", median},
                                      {"gflops", gflop / median},
                                      {"resident_seconds", median_resident},
                                      {"resident_gflops", gflop / median_resident},
                                      {"stages", runner.stages()}};
  std::cout << result.dump(2) << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("times a network on the CPU backend and prints JSON");
  Options options;
  app.add_option("model", options.model, "ONNX file or sample:NAME")->capture_default_str();
  app.add_option("--on", options.spec, "cpu:MATH[@ARCH]")->capture_default_str();
  app.add_option("--until", options.until, "stage to stop at");
  app.add_option("--input", options.input, "generator for every input")->capture_default_str();
  app.add_option("--isa", options.instruction_set, "best, scalar, avx2, avx512 or neon")
      ->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--runs", options.runs)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--wait", options.wait, "run once per line of standard input");
  CLI11_PARSE(app, argc, argv);
  try {
    if (!instruction_set_named(options.instruction_set))
      throw Error(Fault::bad_request,
                  "there is no instruction set '" + options.instruction_set + "'");
    return measure(options);
  } catch (const std::exception& why) {
    std::cerr << "bench_run: " << why.what() << '\n';
    return 1;
  }
}
