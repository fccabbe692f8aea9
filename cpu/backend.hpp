#pragma once

#include <memory>

#include "cpu/ops.hpp"
#include "model/backend.hpp"

namespace parity::cpu {

/// The processor's backend, and the lab's oracle.
class CpuBackend final : public Backend, public Oracle {
 public:
  BackendInfo info(const Execution& execution) const override;
  std::vector<AlgorithmInfo> algorithms() const override;
  std::vector<ExecutionAxis> axes() const override;
  std::optional<Refusal> refuses(const PlannedStage& stage) const override;
  Value upload(const Tensor& tensor, const Execution& execution) override;
  Tensor download(const Value& value, const Execution& execution) override;
  bool reads(const Value& value) const override;
  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override;
  Digest digest(const Value& value, const Execution& execution) override;
  Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                     const Allowance& allowance, const Execution& execution) override;
  Split split(const Value& a, const Value& local, const Value& b,
              const Execution& execution) override;
  Accumulation accumulate(const Value& a, const Value& local, const Value& b,
                          const Execution& execution) override;
  ErrorMap map(const Value& a, const Value& b, const Execution& execution) override;
  std::vector<double> elements(const Value& value,
                               std::span<const std::int64_t> indices) const override;
  void forget(const PlannedStage& stage) override;

  std::vector<ExactElement> exact_at(const PlannedStage& stage, std::span<const Value> inputs,
                                     std::span<const std::int64_t> indices, NoiseWanted wanted,
                                     const Execution& execution) override;

 private:
  PackCache packs_;
  Memory memory_;
};

/// Facts of this processor for reports and `doctor`: model name, cores, instruction sets usable
/// here.
BackendInfo processor_info(const Execution& execution);

}  // namespace parity::cpu
