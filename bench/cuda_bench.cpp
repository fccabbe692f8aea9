// Times every layer of the bench cases on a GPU with events, as a share of the peaks that the same
// run measures: multiply-adds in registers, tensor-core instructions in registers, a copy in memory.
//
// A row is a stage: its convolution with BatchNorm and ReLU in one launch, inputs and outputs staying
// on the device channels-last. The layout change of the network's input has a row of its own.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/bench.hpp"
#include "bench/cuda_peak.hpp"
#include "cpu/backend.hpp"
#include "cuda/backend.hpp"
#include "cuda/facts.hpp"
#include "cuda/runtime.hpp"
#include "model/error.hpp"
#include "model/plan.hpp"
#include "model/samples/cases.hpp"
#include "model/spec.hpp"

namespace {

using namespace parity;
using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> cases;
  std::vector<std::string> specs;
  std::string family = "second_fpn";
  std::string output;
  int device = 0;
  int runs = 20;
};

/// Pairs of events on a session's stream.
class Clock {
 public:
  explicit Clock(cuda::Session& session) : session_(session) {
    session_.check(session_.api().create_event(&start_), "creating an event");
    session_.check(session_.api().create_event(&stop_), "creating an event");
  }
  ~Clock() {
    session_.api().destroy_event(start_);
    session_.api().destroy_event(stop_);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  /// Seconds of one of `runs` calls made one behind the other, the stream never empty between them
  /// where the host keeps ahead. The median of five such measurements, after one to warm up.
  template <class Call>
  double seconds(int runs, const Call& call) {
    call();
    std::vector<double> all;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const cuda::Stream stream = session_.queue().stream;
      session_.check(session_.api().record(start_, stream), "recording an event");
      for (int r = 0; r < runs; ++r) call();
      session_.check(session_.api().record(stop_, stream), "recording an event");
      session_.wait("timing");
      float milliseconds = 0;
      session_.check(session_.api().elapsed(&milliseconds, start_, stop_), "reading events");
      all.push_back(1e-3 * static_cast<double>(milliseconds) / runs);
    }
    return bench::median(all);
  }

 private:
  cuda::Session& session_;
  cuda::Event start_ = nullptr, stop_ = nullptr;
};

/// What the device does at best, in operations or bytes per second.
struct Peaks {
  double fma = 0, tensor_core = 0, copy = 0;
};

Peaks measure_peaks(cuda::Session& session, Clock& clock) {
  Peaks peaks;
  const int multiprocessors = session.properties().multiprocessors;
  const auto sink = session.take(sizeof(float) * bench::peak_sink_floats *
                                 static_cast<std::size_t>(multiprocessors));
  const auto rate = [&](bench::Peak peak) {
    double operations = 0;
    const double seconds = clock.seconds(3, [&] {
      session.check(bench::launch_peak(session.queue(), peak, multiprocessors, 4096,
                                       static_cast<float*>(sink.get()), &operations),
                    "launching a peak kernel");
    });
    return operations / seconds;
  };
  peaks.fma = rate(bench::Peak::fma);
  if (session.capability() >= 80) peaks.tensor_core = rate(bench::Peak::tensor_core);
  constexpr std::size_t bytes = std::size_t{256} << 20;  // beyond every cache
  const auto from = session.take(bytes), to = session.take(bytes);
  peaks.copy = 2.0 * static_cast<double>(bytes) / clock.seconds(5, [&] {
    session.check(session.api().copy_within(to.get(), from.get(), bytes, session.queue().stream),
                  "copying within the device");
  });
  return peaks;
}

/// Contracts that round operands to TF32 do so for tensor cores.
bool on_tensor_cores(const PlannedStage& stage) {
  return stage.contracts.front().rounding.has_value();
}

/// What is timed unless specs are named: our own algorithms, and the library's products beside them. The
/// library's rounding to TF32 is the one that the backend's probe finds.
std::vector<std::string> usual_specs(const Graph& graph, const cuda::CudaBackend& backend,
                                     const cuda::Session& session) {
  std::vector<std::string> specs{"cuda:fp32", "cuda:fp32,algorithm=chunk256"};
  std::vector<std::string> tries{"cuda:fp32"};
  if (session.capability() >= 80) {
    const std::string tf32 = session.capability() >= 90 ? "cuda:tf32@sm_90" : "cuda:tf32@sm_80";
    specs.push_back(tf32);
    for (const char* rounding : {"rna", "truncate"}) tries.push_back(tf32 + ",round=" + rounding);
  }
  for (const std::string& each : tries) {
    const std::string spec = each + ",algorithm=gemm:cublas,promise=run_to_run";
    try {
      (void)make_plan(cut(graph), parse_spec(spec).numerics, backend, spec);
      specs.push_back(spec);
    } catch (const Error& refused) {
      if (refused.fault() != Fault::bad_request) throw;
      std::cerr << refused.what() << '\n';
    }
  }
  return specs;
}

/// One network under one spec.
Json measure(const Options& options, const std::string& name, const std::string& spec,
             const Graph& graph, cuda::CudaBackend& backend, cuda::Session& session, Clock& clock,
             const Peaks& peaks) {
  const Execution execution;
  const std::vector<Stage> stages = cut(graph);
  Numerics numerics = parse_spec(spec).numerics;
  const Plan plan = make_plan(stages, numerics, backend, spec);
  std::map<TensorId, Value> values;
  std::map<TensorId, int> readers;
  for (const PlannedStage& planned : plan.stages)
    for (const TensorId id : planned.stage.inputs) ++readers[id];

  Json rows = Json::array();
  double all = 0, operations = 0;
  const std::vector<Tensor> inputs = bench::make_inputs(graph, "pillars:7");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value value = backend.upload(inputs[i], execution);
    Value last;
    const double seconds = clock.seconds(
        options.runs, [&] { last = cuda::with_layout(value, Layout::channels_last, session); });
    rows.push_back({{"stage", "channels-last input"},
                    {"seconds", seconds},
                    {"share_of_copy",
                     2.0 * static_cast<double>(inputs[i].size_bytes()) / seconds / peaks.copy}});
    values[graph.inputs[i]] = std::move(last);
  }
  for (const PlannedStage& planned : plan.stages) {
    std::vector<Value> in, out;
    for (const TensorId id : planned.stage.inputs) in.push_back(values.at(id));
    const double seconds = clock.seconds(
        options.runs, [&] { out = backend.run(planned, in, Reading::values, execution); });
    for (std::size_t i = 0; i < out.size(); ++i) values[planned.stage.outputs[i]] = out[i];
    for (const TensorId id : planned.stage.inputs)
      if (--readers[id] == 0) values.erase(id);
    const double peak = on_tensor_cores(planned) ? peaks.tensor_core : peaks.fma;
    const double work = 2.0 * static_cast<double>(planned.stage.macs);
    rows.push_back({{"stage", planned.stage.name},
                    {"contract", planned.contract_text()},
                    {"gflop", 1e-9 * work},
                    {"seconds", seconds},
                    {"tflops", 1e-12 * work / seconds},
                    {"share_of_peak", work / seconds / peak}});
    all += seconds;
    operations += work;
    backend.forget(planned);
  }
  std::cerr << name << "  " << spec << "  " << 1e3 * all << " ms  " << 1e-12 * operations / all
            << " TFLOP/s\n";
  return {{"case", name},
          {"spec", spec},
          {"gflop", 1e-9 * operations},
          {"seconds", all},
          {"tflops", 1e-12 * operations / all},
          {"stages", rows}};
}

int run(Options options) {
  const auto api = cuda::cuda_runtime();
  if (const std::string why = cuda::availability_of(*api).why; !why.empty())
    throw Error(Fault::device, "the layers cannot be timed on a GPU: " + why + ".");
  cuda::CudaBackend backend(api, options.device);
  // The bench times and converts beside the backend, on its stream.
  auto& session = const_cast<cuda::Session&>(backend.session());
  Clock clock(session);
  if (options.cases.empty())
    for (const SecondCase& each : second_cases())
      if (each.name.size() == 1) options.cases.emplace_back(each.name);

  const Peaks peaks = measure_peaks(session, clock);
  Json document{{"device", session.name()},
                {"multiprocessors", session.properties().multiprocessors},
                {"runs", options.runs},
                {"peak_fma_tflops", 1e-12 * peaks.fma},
                {"peak_tensor_core_tflops", 1e-12 * peaks.tensor_core},
                {"copy_gb_per_second", 1e-9 * peaks.copy},
                {"cases", Json::array()}};
  cpu::CpuBackend settler;
  Execution settling;
  settling.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (const std::string& name : options.cases) {
    const Graph graph = bench::load("sample:" + options.family + "/" + name, settler, settling);
    if (options.specs.empty()) options.specs = usual_specs(graph, backend, session);
    for (const std::string& spec : options.specs)
      document["cases"].push_back(
          measure(options, name, spec, graph, backend, session, clock, peaks));
  }
  const std::string text = document.dump(2) + "\n";
  if (options.output.empty()) {
    std::cout << text;
    return 0;
  }
  std::ofstream file(options.output);
  file << text;
  file.flush();
  if (!file)
    throw Error(Fault::io, "the measurements cannot be written to '" + options.output +
                               "'; name a file in a folder that exists and can be written");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "times the layers of the bench cases on a GPU, as shares of peaks measured beside them; "
      "prints JSON");
  Options options;
  app.add_option("--case", options.cases, "A to G; default all");
  app.add_option(
      "--on", options.specs,
      "cuda:fp32, cuda:tf32@ARCH…; default fp32, chunk256, the device's tf32, and the library's "
      "products of both");
  app.add_option("--family", options.family, "second, second_fpn or centerpoint")
      ->capture_default_str();
  app.add_option("--device", options.device)->capture_default_str();
  app.add_option("--runs", options.runs, "launches of a measurement")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--output", options.output, "a file instead of standard output");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(std::move(options));
  } catch (const Error& why) {
    std::cerr << "cuda_bench: " << why.what() << '\n';
    return why.fault() == Fault::device || why.fault() == Fault::out_of_memory ? 5 : 1;
  } catch (const std::exception& why) {
    std::cerr << "cuda_bench: " << why.what() << '\n';
    return 1;
  }
}
