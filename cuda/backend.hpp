#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/facts.hpp"
#include "cuda/ops.hpp"
#include "cuda/session.hpp"
#include "model/backend.hpp"

namespace parity::cuda {

/// The GPU's backend over a table of functions: the CUDA runtime's, or in the tests a simulated one.
class CudaBackend final : public Backend {
 public:
  /// Opens the device; throws Fault::device.
  CudaBackend(std::shared_ptr<Api> api, int device);

  BackendInfo info(const Execution& execution) const override;
  std::vector<AlgorithmInfo> algorithms() const override;
  std::vector<ExecutionAxis> axes() const override;
  /// Also proves by a product's effect that the arithmetic of each contract is what its name says, once per
  /// arithmetic.
  std::optional<Refusal> refuses(const PlannedStage& stage) const override;
  Value upload(const Tensor& tensor, const Execution& execution) override;
  Tensor download(const Value& value, const Execution& execution) override;
  bool reads(const Value& value) const override;
  /// Asynchronous: launches and returns. An error of what was launched is thrown by the next call that waits
  /// (download, digest, compare, split, map, elements), naming the stages since the last wait.
  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override;
  Digest digest(const Value& value, const Execution& execution) override;
  Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                     const Allowance& allowance, const Execution& execution) override;
  Split split(const Value& a, const Value& local, const Value& b,
              const Execution& execution) override;
  ErrorMap map(const Value& a, const Value& b, const Execution& execution) override;
  std::vector<double> elements(const Value& value,
                               std::span<const std::int64_t> indices) const override;
  void forget(const PlannedStage& stage) override;
  std::int64_t device_peak_bytes() const override {
    return static_cast<std::int64_t>(session_->peak_bytes());
  }

  const Session& session() const { return *session_; }

 private:
  /// Waits for the stages that have been launched, so that an error names them.
  void settle() const;
  /// What a product under this contract does with its operands, from the probe.
  ProductMath product_math(const Contract& contract) const;

  std::shared_ptr<Session> session_;
  PackCache packs_;
  mutable std::vector<std::string> launched_;  ///< stages since the last wait
  /// Arithmetic that the probe has seen at work, by contract text.
  mutable std::map<std::string, ProductMath> proven_;
};

}  // namespace parity::cuda
