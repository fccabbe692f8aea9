#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cuda/cuda.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"
#include "model/vendor_variables.hpp"

namespace parity::cli {
namespace {

struct Row {
  std::string backend;
  AlgorithmInfo info;
  std::string refusal;  ///< why that backend will not run it; empty when it will
};

/// A convolution that every algorithm for MACs could take, to ask a backend about.
std::vector<Stage> small_convolution() {
  GraphBuilder builder("a convolution of 32 channels");
  Conv2d op;
  op.window.kernel = {3, 3};
  const TensorId x = builder.add_input("x", {Type::float32, {1, 32, 4, 4}});
  const TensorType weights{Type::float32, {32, 32, 3, 3}};
  builder.add_output(
      builder.add_step(op, {x}, {filled(weights, Fill::real, 1), std::nullopt}, "", {"y"}).front());
  return cut(builder.finish());
}

/// The numerics that ask for the algorithm by name; nothing for those that no MAC takes.
std::optional<Numerics> asking_for(Algorithm algorithm, const Numerics& asked) {
  switch (algorithm) {
    case Algorithm::lanes32:
    case Algorithm::elementwise:
    case Algorithm::move:
      return std::nullopt;
    case Algorithm::fp64:
      return numerics_of(Math::fp64);
    case Algorithm::exact:
      return numerics_of(Math::exact);
    case Algorithm::tensor_k4f24:
    case Algorithm::tensor_k8f25: {
      const Arch own = algorithm == Algorithm::tensor_k4f24 ? Arch::sm_80 : Arch::sm_90;
      Numerics numerics = numerics_of(Math::tf32, asked.arch == Arch::none ? own : asked.arch);
      numerics.algorithm = algorithm;
      return numerics;
    }
    default: {
      Numerics numerics = numerics_of(Math::fp32);
      numerics.algorithm = algorithm;
      numerics.promise = promise_of(algorithm);
      return numerics;
    }
  }
}

/// Why the backend will not run the algorithm, in its own words; empty when it will.
std::string refusal_of(Algorithm algorithm, const Numerics& asked, const Backend& backend) {
  const std::optional<Numerics> numerics = asking_for(algorithm, asked);
  if (!numerics) return {};
  try {
    const std::vector<Stage> stages = small_convolution();
    const std::string spec(name(algorithm));
    demand_no_contradiction(vendor_facts(), stages, *numerics, spec);
    (void)make_plan(stages, *numerics, backend, spec);
    return {};
  } catch (const Error& error) {
    if (error.fault() == Fault::internal) throw;
    return error.what();
  }
}

/// Every algorithm there is, those that are offered with their ops. `refusal` gives the reason why one will
/// not run, empty when it will.
template <class Refusal>
void add_rows(const std::vector<AlgorithmInfo>& offered, const std::string& label,
              const Refusal& refusal, std::vector<Row>& rows) {
  for (const Algorithm algorithm : all_algorithms()) {
    const auto found = std::find_if(offered.begin(), offered.end(), [&](const AlgorithmInfo& info) {
      return info.algorithm == algorithm;
    });
    const std::string why = refusal(algorithm);
    if (found != offered.end())
      rows.push_back({label, *found, why});
    else
      rows.push_back({label,
                      {algorithm, "-", label + " has no kernels for it"},
                      why.empty() ? label + " does not list it" : why});
  }
}

void add_rows(const Backend& backend, const std::string& label, const Numerics& asked,
              std::vector<Row>& rows) {
  const auto refusal = [&](Algorithm algorithm) { return refusal_of(algorithm, asked, backend); };
  add_rows(backend.algorithms(), label, refusal, rows);
}

std::string label_of(const Spec& spec) {
  return spec.backend == "cpu" ? spec.backend : fmt::format("{}:{}", spec.backend, spec.device);
}

ExitCode algorithms(const std::string& on, bool as_json) {
  const Processor processor = open_processor();
  std::vector<Row> rows;
  const cuda::Availability gpus = cuda::availability();
  bool no_gpu = false;
  if (!on.empty()) {
    const Spec spec = parse_spec(on.find(':') == std::string::npos ? on + ":fp32" : on);
    no_gpu = spec.backend == "cuda" && spec.device == 0 && !gpus.why.empty();
    if (no_gpu)  // what it would offer is known all the same
      add_rows(
          cuda::algorithms(), "cuda", [](Algorithm) { return "no GPU here"; }, rows);
    else
      add_rows(*open_backend(spec, processor), label_of(spec), spec.numerics, rows);
  } else {
    no_gpu = !gpus.why.empty();
    add_rows(*processor.backend, "cpu", {}, rows);
    for (const cuda::Device& device : gpus.devices)
      if (device.why.empty())
        add_rows(*cuda::make_backend(device.number), fmt::format("cuda:{}", device.number), {},
                 rows);
  }
  if (as_json) {
    nlohmann::ordered_json document;
    document["algorithms"] = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
      nlohmann::ordered_json each = {{"algorithm", name(row.info.algorithm)},
                                     {"backend", row.backend},
                                     {"promise", name(promise_of(row.info.algorithm))},
                                     {"ops", row.info.ops},
                                     {"note", row.info.note}};
      if (!row.refusal.empty()) each["refusal"] = row.refusal;
      document["algorithms"].push_back(std::move(each));
    }
    document["refused"] = nlohmann::ordered_json::object();
    if (no_gpu) document["refused"]["cuda"] = gpus.why;
    fmt::print("{}\n", document.dump(2));
    return ExitCode::consistent;
  }
  fmt::print("{:<13} {:<8} {:<12}  {}\n", "algorithm", "backend", "promise", "ops");
  for (const Row& row : rows) {
    fmt::print("{:<13} {:<8} {:<12}  {}\n{:<36} {}\n", name(row.info.algorithm), row.backend,
               name(promise_of(row.info.algorithm)), row.info.ops, "", row.info.note);
    if (!row.refusal.empty()) fmt::print("{:<36} refused: {}\n", "", row.refusal);
  }
  if (no_gpu) fmt::print("cuda: {}\n", gpus.why);
  fmt::print(
      "promises, weakest first: not_guaranteed < run_to_run < gpu_to_gpu < host_to_gpu\n"
      "host_to_gpu: the same bits on every backend, device, instruction set, thread count and "
      "batch\n");
  return ExitCode::consistent;
}

}  // namespace

void add_algorithms(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand(
      "algorithms", "List the orders of operations a side can compute by, and what each promises.");
  struct Options {
    std::string on;
    bool as_json = false;
  };
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--on", options->on,
                   "one backend only: cpu, cuda, or a SPEC whose arch and device are meant")
      ->type_name("BACKEND|SPEC");
  command->add_flag("--json", options->as_json, "as JSON");
  command->footer(
      "Each algorithm is asked of a small convolution; what refuses it says so in a sentence.\n"
      "Of a GPU that is not here the list says what it would offer.\n"
      "Examples:\n"
      "  paritylab algorithms --on cpu\n"
      "  paritylab algorithms --on cuda\n"
      "  paritylab algorithms --on cpu:tf32@sm_80     which tensor core is sm_80's?\n"
      "Exit codes: 0 listed · 2 usage · 5 no such device");
  command->callback([&invocation, options] {
    invocation.job = [options] { return algorithms(options->on, options->as_json); };
  });
}

}  // namespace parity::cli
