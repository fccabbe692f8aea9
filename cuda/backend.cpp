#include "cuda/backend.hpp"

#include <algorithm>
#include <cstring>

#include "cuda/facts.hpp"
#include "cuda/measure.hpp"
#include "cuda/movement.hpp"
#include "model/steps.hpp"
#include "model/text.hpp"

namespace parity::cuda {
namespace {

/// |x| as magnitudes read it, in x's layout.
Value magnitude_of(const Value& x, Session& session) {
  if (x.type().type != Type::float32 && x.type().type != Type::float64) return x;
  const Elements<float> in = cuda::elements<float>(x, layout_of(x), session);
  Fresh fresh({Type::float32, x.shape()}, layout_of(x), session);
  session.check(
      launch_magnitude(session.queue(), {in.data, fresh.data<float>(), element_count(x.shape())}),
      "launching magnitudes");
  return std::move(fresh).value();
}

/// Why a device of this capability does not compute by the algorithm; empty when it does.
std::string cannot(Algorithm algorithm, int capability, const std::string& device) {
  switch (algorithm) {
    case Algorithm::chain:
    case Algorithm::chunk256:
    case Algorithm::gemm_cublas:  // the session knows
    case Algorithm::lanes32:
    case Algorithm::elementwise:
    case Algorithm::move:
      return {};
    case Algorithm::tensor_k4f24:
      if (capability >= 80 && capability < 90) return {};
      return "tensor:k4f24 is the tensor core of sm_80, 86, 87 and 89, and " + device +
             " has another; cpu:tf32@sm_80 computes it on the processor";
    case Algorithm::tensor_k8f25:
      if (capability >= 90) return {};
      return "tensor:k8f25 is the tensor core of sm_90, 100 and 120, and " + device +
             " has another; cpu:tf32@sm_90 computes it on the processor";
    case Algorithm::fp64:
    case Algorithm::exact:
      return "double arithmetic runs on the processor only; ask for it there (cpu:fp64, cpu:exact)";
    case Algorithm::gemm_eigen:
      return "gemm:eigen is a library of the processor; ask for it there "
             "(cpu:fp32,algorithm=gemm:eigen)";
  }
  return "the CUDA backend does not know this algorithm";
}

constexpr std::pair<Rounding, ProductMath> tf32_maths[] = {
    {Rounding::rna, ProductMath::tf32_rna},
    {Rounding::rn, ProductMath::tf32_rn},
    {Rounding::truncate, ProductMath::tf32_truncate}};

/// What the operands of a product go through under a contract.
ProductMath expected_math(const Contract& contract) {
  for (const auto& [rounding, math] : tf32_maths)
    if (contract.rounding == rounding) return math;
  return ProductMath::fp32;
}

/// The rounding to TF32 that a probe has seen, if it was one.
std::optional<Rounding> rounding_of(ProductMath seen) {
  for (const auto& [rounding, math] : tf32_maths)
    if (seen == math) return rounding;
  return std::nullopt;
}

}  // namespace

CudaBackend::CudaBackend(std::shared_ptr<Api> api, int device)
    : session_(Session::open(std::move(api), device)) {}

void CudaBackend::settle() const {
  if (launched_.empty()) return;
  std::string action = "running stage " + shown(launched_.front());
  if (launched_.size() > 1)
    action = "running stages " + shown(launched_.front()) + " to " + shown(launched_.back());
  launched_.clear();
  session_->wait(action);
}

BackendInfo CudaBackend::info(const Execution&) const {
  int driver = 0, runtime = 0;
  session_->check(session_->api().versions(&driver, &runtime), "asking for versions");
  const DeviceProperties& p = session_->properties();
  BackendInfo info{"cuda",
                   session_->name(),
                   {{"device", p.name},
                    {"compute capability", std::to_string(p.major) + "." + std::to_string(p.minor)},
                    {"multiprocessors", std::to_string(p.multiprocessors)},
                    {"memory bytes", std::to_string(p.memory_bytes)},
                    {"driver supports", version_text(driver)},
                    {"runtime", version_text(runtime)}}};
  if (const auto version = session_->library_version()) info.facts.emplace_back("cuBLAS", *version);
  for (const auto& [contract, math] : proven_)
    info.facts.emplace_back("products of " + contract, cuda::name(math) + ", by a probe");
  return info;
}

std::vector<AlgorithmInfo> CudaBackend::algorithms() const { return cuda::algorithms(); }

std::vector<ExecutionAxis> CudaBackend::axes() const {
  return {ExecutionAxis::streams, ExecutionAxis::workspace};
}

ProductMath CudaBackend::product_math(const Contract& contract) const {
  const auto probes = product_probes();
  const auto n = static_cast<std::int64_t>(probes.size());
  // A column by a row: products of length one, those of the probe on the diagonal. A library is asked for
  // a product large enough for the kernels that it means for large ones; what is added there is zeros.
  const bool library = contract.algorithm == Algorithm::gemm_cublas;
  constexpr std::int64_t large = 64;
  const std::int64_t side = library ? large : n, depth = library ? large : 1;
  std::vector<float> column(static_cast<std::size_t>(side * depth)),
      row(static_cast<std::size_t>(depth * side));
  for (std::size_t i = 0; i < probes.size(); ++i) {
    column[i * static_cast<std::size_t>(depth)] = probes[i].x;
    row[i] = probes[i].y;
  }
  const auto uploaded = [&](Shape shape, const std::vector<float>& values) {
    Fresh fresh({Type::float32, std::move(shape)}, Layout::row_major, *session_);
    session_->check(
        session_->api().copy_in(fresh.data<float>(), values.data(), values.size() * sizeof(float),
                                session_->queue().stream),
        "uploading the product probe");
    return std::move(fresh).value();
  };
  const std::vector<Value> operands{uploaded({side, depth}, column), uploaded({depth, side}, row)};
  const auto op = std::make_shared<const Op>(MatMul{.constant = MatMul::Constant::neither});
  const std::vector<std::shared_ptr<const Tensor>> parameters(2);
  const TensorType output{Type::float32, {side, side}};
  const Epilogue none;
  PackCache packs;
  const Execution execution;
  const Job job{contract,        operands,  op,    parameters, output,
                Reading::values, *session_, packs, none,       execution};
  const Value product = cuda::run(std::get<MatMul>(static_cast<const Op::variant&>(*op)), job);
  std::vector<std::int64_t> diagonal;
  for (std::int64_t i = 0; i < n; ++i) diagonal.push_back(i * side + i);
  std::vector<float> answers;
  for (const double answer : elements_at(product, diagonal, *session_))
    answers.push_back(static_cast<float>(answer));
  return classify(answers);
}

std::optional<Refusal> CudaBackend::refuses(const PlannedStage& planned) const {
  const auto refusal = [&](const Contract& contract, const std::string& why) {
    return Refusal{planned.stage.name, std::string(name(contract.algorithm)), why};
  };
  for (std::size_t i = 0; i < planned.contracts.size(); ++i) {
    const Contract& contract = planned.contracts[i];
    std::string why = cannot(contract.algorithm, session_->capability(), session_->name());
    if (contract.algorithm == Algorithm::gemm_cublas) why = session_->no_library();
    if (!why.empty()) return refusal(contract, why);
    if (!is_mac(*planned.stage.steps[i].op)) continue;
    Contract product = contract;
    product.batch_norm = BatchNormalisation::kept;
    const auto [known, fresh] = proven_.try_emplace(product.text(), ProductMath::unknown);
    if (fresh) {
      try {
        known->second = product_math(product);
      } catch (...) {
        proven_.erase(known);
        throw;
      }
    }
    const ProductMath expected = expected_math(contract);
    if (known->second == expected) continue;
    // Which rounding to TF32 a library has is its own affair, and can be asked for.
    const std::optional<Rounding> rounding = rounding_of(known->second);
    const bool other_rounding = contract.algorithm == Algorithm::gemm_cublas &&
                                contract.rounding.has_value() && rounding.has_value();
    return refusal(contract, "a probe on " + session_->name() + " shows " +
                                 cuda::name(known->second) + " where " + product.text() +
                                 " means " + cuda::name(expected) +
                                 ", so its results would not be what their name says; " +
                                 (other_rounding ? "ask for round=" + std::string(name(*rounding))
                                                 : std::string("run `paritylab doctor`")));
  }
  return std::nullopt;
}

Value CudaBackend::upload(const Tensor& tensor, const Execution&) {
  const Tensor kept = with_canonical_nan(tensor);
  Fresh fresh(kept.type(), Layout::row_major, *session_);
  settle();
  if (kept.size_bytes() > 0)
    session_->check(session_->api().copy_in(fresh.data<void>(), kept.data(), kept.size_bytes(),
                                            session_->queue().stream),
                    "uploading a tensor");
  session_->wait("uploading a tensor");  // `kept` ends here
  return std::move(fresh).value();
}

Tensor CudaBackend::download(const Value& value, const Execution&) {
  settle();
  const Value ordered = with_layout(value, Layout::row_major, *session_);
  const std::size_t bytes =
      static_cast<std::size_t>(element_count(value.shape())) * byte_width(value.type().type);
  auto host = std::make_shared<std::vector<std::byte>>(bytes);
  if (bytes > 0)
    session_->check(session_->api().copy_out(host->data(), storage_of(ordered).data(), bytes,
                                             session_->queue().stream),
                    "downloading a tensor");
  session_->wait("downloading a tensor");
  const void* const data = host->data();
  return with_canonical_nan(Tensor(ordered.type(), std::move(host), data));
}

bool CudaBackend::reads(const Value& value) const {
  return is_cuda(value) && storage_of(value).session() == session_.get();
}

std::vector<Value> CudaBackend::run(const PlannedStage& planned, std::span<const Value> inputs,
                                    Reading reading, const Execution& execution) {
  session_->take_turn(execution.streams);
  launched_.push_back(planned.stage.name);
  std::vector<Value> read(inputs.begin(), inputs.end());
  if (reading == Reading::magnitudes && !bounds_itself(*planned.stage.steps.front().op))
    for (Value& input : read) input = magnitude_of(input, *session_);
  return run_steps(planned, read, reading, [&](const StepRun& run) -> StepResult {
    Epilogue riders;
    if (carries_riders(*run.step.op, run.output.shape)) {
      parity::Epilogue<float> all;
      fuse(planned, run.index, run.output.shape[1], reading, all);
      // What does not fit or ride is launched by itself: the same bits.
      const auto stays = std::find_if(
          all.begin(), all.end(), [](const auto& step) { return !rides_on_product(step.kind); });
      const std::size_t some = std::min<std::size_t>(static_cast<std::size_t>(stays - all.begin()),
                                                     Epilogue::most_riders);
      for (std::size_t i = 0; i < some; ++i) {
        const Step& step = planned.stage.steps[run.index + 1 + i];
        riders.steps[i] =
            on_device(all[i], makers(step.op, step.parameters), reading, packs_, *session_);
      }
      riders.count = static_cast<std::int32_t>(some);
    }
    const Job job{run.contract, run.inputs, run.step.op, run.step.parameters, run.output, reading,
                  *session_,    packs_,     riders,      execution,           run.outputs};
    return {visit([&](const auto& op) { return values_of_room(cuda::run(op, job)); }, *run.step.op),
            static_cast<std::size_t>(riders.count)};
  });
}

Digest CudaBackend::digest(const Value& value, const Execution&) {
  settle();
  return cuda::digest(value, *session_);
}

Comparison CudaBackend::compare(const Value& a, const Value& b, const Value* magnitude,
                                const Allowance& allowance, const Execution&) {
  settle();
  return cuda::compare(a, b, magnitude, allowance, *session_);
}

Split CudaBackend::split(const Value& a, const Value& local, const Value& b, const Execution&) {
  settle();
  return cuda::split(a, local, b, *session_);
}

ErrorMap CudaBackend::map(const Value& a, const Value& b, const Execution&) {
  settle();
  return cuda::map(a, b, *session_);
}

std::vector<double> CudaBackend::elements(const Value& value,
                                          std::span<const std::int64_t> indices) const {
  settle();
  return elements_at(value, indices, *session_);
}

void CudaBackend::forget(const PlannedStage& planned) {
  for (const Step& step : planned.stage.steps)
    for (const auto& maker : makers(step.op, step.parameters))
      if (maker) packs_.forget(maker);
}

}  // namespace parity::cuda
