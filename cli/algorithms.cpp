#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cuda/cuda.hpp"

namespace parity::cli {
namespace {

struct Row {
  std::string backend;
  AlgorithmInfo info;
};

ExitCode algorithms(bool as_json) {
  const Processor processor = open_processor();
  std::vector<Row> rows;
  for (AlgorithmInfo& info : processor.backend->algorithms())
    rows.push_back({"cpu", std::move(info)});
  const cuda::Availability gpus = cuda::availability();
  for (const cuda::Device& device : gpus.devices) {
    if (!device.why.empty()) continue;
    for (AlgorithmInfo& info : cuda::make_backend(device.number)->algorithms())
      rows.push_back({fmt::format("cuda:{}", device.number), std::move(info)});
  }
  if (as_json) {
    nlohmann::ordered_json document;
    document["algorithms"] = nlohmann::ordered_json::array();
    for (const Row& row : rows)
      document["algorithms"].push_back({{"algorithm", name(row.info.algorithm)},
                                        {"backend", row.backend},
                                        {"promise", name(promise_of(row.info.algorithm))},
                                        {"ops", row.info.ops},
                                        {"note", row.info.note}});
    document["refused"] = nlohmann::ordered_json::object();
    if (!gpus.why.empty()) document["refused"]["cuda"] = gpus.why;
    fmt::print("{}\n", document.dump(2));
    return ExitCode::consistent;
  }
  fmt::print("{:<13} {:<8} {:<12}  {}\n", "algorithm", "backend", "promise", "ops");
  for (const Row& row : rows)
    fmt::print("{:<13} {:<8} {:<12}  {}\n{:<36} {}\n", name(row.info.algorithm), row.backend,
               name(promise_of(row.info.algorithm)), row.info.ops, "", row.info.note);
  if (!gpus.why.empty()) fmt::print("cuda: {}\n", gpus.why);
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
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "as JSON");
  command->footer("Exit codes: 0 always");
  command->callback(
      [&invocation, as_json] { invocation.job = [as_json] { return algorithms(*as_json); }; });
}

}  // namespace parity::cli
