#include "cpu/backend.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>

#include "cpu/compare.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/mac/instruction_set.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/ops.hpp"
#include "model/steps.hpp"

namespace parity::cpu {

struct PackCache::Entry {
  std::shared_ptr<const Tensor> weights;
  std::string packing;
  std::unique_ptr<const Packed> packed;
};

const Packed& PackCache::get(const std::shared_ptr<const Tensor>& weights,
                             const std::string& packing,
                             const std::function<std::unique_ptr<const Packed>()>& make) {
  for (const auto& entry : entries_)
    if (entry->weights == weights && entry->packing == packing) return *entry->packed;
  entries_.push_back(std::make_shared<Entry>(Entry{weights, packing, make()}));
  return *entries_.back()->packed;
}

void PackCache::forget(const std::shared_ptr<const Tensor>& weights) {
  std::erase_if(entries_, [&](const auto& entry) { return entry->weights == weights; });
}

namespace {

/// |x| as magnitudes read it, in x's layout.
Value magnitude_of(const Value& x, Memory& memory, const Execution& execution) {
  if (x.type().type != Type::float32 && x.type().type != Type::float64) return x;
  const Layout layout = layout_of(x);
  const Elements<float> in = elements<float>(x, layout, execution, &memory);
  Fresh fresh({Type::float32, x.shape()}, layout, &memory);
  float* const out = fresh.data<float>();
  parallel_for(element_count(x.shape()), std::int64_t{1} << 16, execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) out[i] = magnitude_operand(in.data[i]);
               });
  return std::move(fresh).value();
}

Value rounded_to_float(const Value& value, Memory& memory, const Execution& execution) {
  if (value.type().type != Type::float64) return value;
  return elements<float>(value, layout_of(value), execution, &memory).value;
}

/// Everything of a stage run but the last conversion: outputs of an `exact` stage are still double.
std::vector<Value> run_stage(const PlannedStage& planned, std::span<const Value> inputs,
                             Reading reading, const Execution& execution, PackCache& packs,
                             Memory& memory) {
  std::vector<Value> read(inputs.begin(), inputs.end());
  if (reading == Reading::magnitudes && !bounds_itself(*planned.stage.steps.front().op))
    for (Value& input : read) input = magnitude_of(input, memory, execution);
  return run_steps(planned, read, reading, [&](const StepRun& run) -> StepResult {
    Epilogue<float> epilogue32;
    Epilogue<double> epilogue64;
    std::size_t riders = 0;
    if (carries_riders(*run.step.op, run.output.shape)) {
      const std::int64_t channels = run.output.shape[1];
      riders = run.output.type == Type::float64
                   ? fuse(planned, run.index, channels, reading, epilogue64)
                   : fuse(planned, run.index, channels, reading, epilogue32);
    }
    const Job job{run.contract, run.inputs, run.step.parameters, run.output, reading,    execution,
                  packs,        memory,     epilogue32,          epilogue64, run.outputs};
    return {visit([&](const auto& o) { return values_of_room(cpu::run(o, job)); }, *run.step.op),
            riders};
  });
}

/// The slope of a step at x, by a difference: its own error, 2^-40 of the slope's change, is nothing to a
/// variance.
double slope_of(EpilogueKind kind, double x, double a, double b) {
  const double h = std::max(std::fabs(x), 0x1p-20) * 0x1p-20;
  return (elementary::step(kind, x + h, a, b) - elementary::step(kind, x - h, a, b)) / (2 * h);
}

/// What an epilogue step does to an element's noise: to first order, and with the step's own
/// rounding in float32. `before`: the value it read; element.value is what it made.
void pass_noise(const EpilogueStep<double>& step, const EpilogueStep<float>& as_stored,
                std::int64_t channel, double before, ExactElement& element) {
  using Kind = EpilogueStep<double>::Kind;
  const auto at = [&](const auto& constants) -> double {
    if (constants.empty()) return 0;
    return static_cast<double>(
        constants[constants.size() > 1 ? static_cast<std::size_t>(channel) : 0]);
  };
  // No distribution is known of a sequence's own error: its largest stands in, 12 e^2 times the
  // variance of a rounding when it is e ULP.
  const double ulp = step_ulp(as_stored.kind);
  const double own = ulp == 0.5 ? 1 : 12 * ulp * ulp;
  double slope = 1, shift = 0;
  switch (step.kind) {
    case Kind::add:
      break;
    case Kind::fma:
      slope = at(step.a);
      shift = before * (at(as_stored.a) - at(step.a)) + (at(as_stored.b) - at(step.b));
      break;
    case Kind::relu:
      slope = before > 0 ? 1 : 0;
      break;
    default:
      slope = slope_of(step.kind, before, at(step.a), at(step.b));
      break;
  }
  const double rounding = own * rounding_variance(element.value);
  element.gain *= slope;
  element.epilogue = element.epilogue * slope * slope + rounding;
  element.offset = element.offset * slope + shift;
}

template <class T>
bool all_canonical(std::span<const T> values, int threads) {
  std::atomic<bool> canonical{true};
  parallel_for(static_cast<std::int64_t>(values.size()), std::int64_t{1} << 16, threads,
               [&](std::int64_t first, std::int64_t last) {
                 const auto part = values.subspan(static_cast<std::size_t>(first),
                                                  static_cast<std::size_t>(last - first));
                 if (!nan_is_canonical(part)) canonical = false;
               });
  return canonical;
}

bool is_canonical(const Tensor& tensor, const Execution& execution) {
  switch (tensor.type().type) {
    case Type::float32:
      return all_canonical(tensor.values<float>(), execution.threads);
    case Type::float64:
      return all_canonical(tensor.values<double>(), execution.threads);
    case Type::int64:
    case Type::boolean:
      return true;
  }
  return true;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unnamed processor";
}

}  // namespace

BackendInfo processor_info(const Execution& execution) {
  BackendInfo info{"cpu", processor_name(), {}};
  std::string sets = "scalar";
  for (const InstructionSet set :
       {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon})
    if (has(set)) sets.append(" ").append(name(set));
  info.facts = {{"device", info.device},
                {"instruction sets", sets},
                {"instruction set used", std::string(name(resolve(execution.instruction_set)))},
                {"threads", std::to_string(execution.threads)}};
  return info;
}

BackendInfo CpuBackend::info(const Execution& execution) const { return processor_info(execution); }

std::vector<AlgorithmInfo> CpuBackend::algorithms() const {
  const std::string macs =
      op_names(Family::conv) + ", " + op_names(Family::matmul) + ", " + op_names(Family::rnn);
  return {
      {Algorithm::chain, macs, "one FP32 fused multiply-add chain per output; the default"},
      {Algorithm::chunk256, macs,
       "FP32 chains of 256 terms whose sums are added in order: an error that hardly grows with "
       "the length of the sum (algorithm=chunk256)"},
      {Algorithm::tensor_k4f24, macs,
       "the TF32 tensor core of sm_80, 86, 87, 89 by its bit-exact model (tf32@ARCH)"},
      {Algorithm::tensor_k8f25, macs,
       "the TF32 tensor core of sm_90, 100, 120 by its bit-exact model (tf32@ARCH)"},
      {Algorithm::gemm_eigen, macs,
       "Eigen's matrix product over im2col, its own order; a third opinion (algorithm=gemm:eigen)"},
      {Algorithm::lanes32, op_names(Family::reduction), "32 interleaved lanes and an xor tree"},
      {Algorithm::elementwise, op_names(Family::elementwise) + ", ReduceMax",
       "one rounded sequence per element, or a selection"},
      {Algorithm::move, op_names(Family::move), "bits pass"},
      {Algorithm::fp64, "every op", "double throughout the network (cpu:fp64)"},
      {Algorithm::exact, "every op",
       "double inside a stage, its output rounded once (cpu:exact); the oracle"},
  };
}

std::vector<ExecutionAxis> CpuBackend::axes() const {
  return {ExecutionAxis::threads, ExecutionAxis::instruction_set};
}

std::optional<Refusal> CpuBackend::refuses(const PlannedStage& planned) const {
  for (const Contract& contract : planned.contracts)
    if (contract.algorithm == Algorithm::gemm_cublas)
      return Refusal{planned.stage.name, std::string(name(contract.algorithm)),
                     "gemm:cublas is a library of the GPU; ask for it there "
                     "(cuda:fp32,algorithm=gemm:cublas,promise=run_to_run), or for gemm:eigen"};
  return std::nullopt;
}

Value CpuBackend::upload(const Tensor& tensor, const Execution& execution) {
  const Tensor kept = is_canonical(tensor, execution) ? tensor : with_canonical_nan(tensor);
  // Host memory is this backend's memory: the value reads the tensor's elements where they are.
  auto owner = std::make_shared<const Tensor>(kept);
  const void* const data = kept.data();
  return {kept.type(), std::make_shared<const CpuStorage>(std::move(owner), data, kept.size_bytes(),
                                                          Layout::row_major)};
}

Tensor CpuBackend::download(const Value& value, const Execution& execution) {
  const Value ordered = with_layout(value, Layout::row_major, execution, &memory_);
  return with_canonical_nan(Tensor(ordered.type(), ordered.storage(), storage_of(ordered).data()));
}

bool CpuBackend::reads(const Value& value) const { return is_cpu(value); }

std::vector<Value> CpuBackend::run(const PlannedStage& stage, std::span<const Value> inputs,
                                   Reading reading, const Execution& execution) {
  std::vector<Value> outputs = run_stage(stage, inputs, reading, execution, packs_, memory_);
  const bool exact = std::any_of(stage.contracts.begin(), stage.contracts.end(),
                                 [](const Contract& c) { return c.algorithm == Algorithm::exact; });
  if (exact)
    for (Value& output : outputs) output = rounded_to_float(output, memory_, execution);
  return outputs;
}

Digest CpuBackend::digest(const Value& value, const Execution& execution) {
  return cpu::digest(value, execution);
}

Comparison CpuBackend::compare(const Value& a, const Value& b, const Value* magnitude,
                               const Allowance& allowance, const Execution& execution) {
  return cpu::compare(a, b, magnitude, allowance, execution);
}

Split CpuBackend::split(const Value& a, const Value& local, const Value& b,
                        const Execution& execution) {
  return cpu::split(a, local, b, execution);
}

Accumulation CpuBackend::accumulate(const Value& a, const Value& local, const Value& b,
                                    const Execution& execution) {
  return cpu::accumulate(a, local, b, execution);
}

ErrorMap CpuBackend::map(const Value& a, const Value& b, const Execution& execution) {
  return cpu::map(a, b, execution);
}

std::vector<double> CpuBackend::elements(const Value& value,
                                         std::span<const std::int64_t> indices) const {
  return elements_at(value, indices);
}

void CpuBackend::forget(const PlannedStage& stage) {
  for (const Step& step : stage.stage.steps)
    for (const auto& parameter : step.parameters)
      if (parameter) packs_.forget(parameter);
}

std::vector<ExactElement> CpuBackend::exact_at(const PlannedStage& planned,
                                               std::span<const Value> inputs,
                                               std::span<const std::int64_t> indices,
                                               NoiseWanted wanted, const Execution& execution) {
  PlannedStage oracle = planned;
  for (Contract& contract : oracle.contracts) {
    if (contract.algorithm == Algorithm::move) continue;
    contract = Contract{};
    contract.algorithm = Algorithm::exact;
    contract.promise = Determinism::run_to_run;
  }
  const Stage& stage = oracle.stage;
  Epilogue<double> riders;
  Epilogue<float> as_stored;  // the same constants as a side in float32 has them
  const Step& head = stage.steps.front();
  const TensorType& output = stage.output_types.front();
  const bool sampled =
      carries_riders(*head.op, output.shape) &&
      fuse(oracle, 0, output.shape[1], Reading::values, riders) + 1 == stage.steps.size();
  if (sampled) fuse(planned, 0, output.shape[1], Reading::values, as_stored);
  if (!sampled) {
    const Value y = run_stage(oracle, inputs, Reading::values, execution, packs_, memory_).front();
    forget(oracle);
    std::vector<ExactElement> result;
    for (const double value : elements_at(y, indices)) result.emplace_back().value = value;
    return result;
  }
  const Epilogue<float> none;
  const Epilogue<double> no_riders;
  const TensorType in_double{Type::float64, output.shape};
  const Job job{oracle.contracts.front(),
                inputs,
                head.parameters,
                in_double,
                Reading::values,
                execution,
                packs_,
                memory_,
                none,
                no_riders};
  std::vector<ExactElement> y = visit(
      [&](const auto& o) -> std::vector<ExactElement> {
        if constexpr (requires { cpu::exact_at(o, job, indices, wanted); })
          return cpu::exact_at(o, job, indices, wanted);
        throw Error(Fault::internal, std::string(o.kind()) + " is a MAC without exact_at");
      },
      *head.op);
  const std::int64_t plane = element_count(output.shape, 2, output.shape.size());
  for (std::size_t i = 0; i < riders.size(); ++i) {
    const Epilogue<double> step{riders[i]};
    for (std::size_t at = 0; at < y.size(); ++at) {
      const std::int64_t channel = indices[at] / plane % output.shape[1];
      const double before = y[at].value;
      apply(step, &y[at].value, 1, channel, execution.instruction_set);
      pass_noise(step.front(), as_stored[i], channel, before, y[at]);
    }
  }
  return y;
}

}  // namespace parity::cpu
