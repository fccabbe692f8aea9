#pragma once

#include <vector>

#include "model/backend.hpp"

namespace parity {

/// A backend that hands every call on to `inner`, which must outlive it: the base of those that do
/// one thing otherwise.
class Forwarding : public Backend {
 public:
  explicit Forwarding(Backend& inner) : inner_(inner) {}

  BackendInfo info(const Execution& execution) const override { return inner_.info(execution); }
  std::vector<AlgorithmInfo> algorithms() const override { return inner_.algorithms(); }
  std::vector<ExecutionAxis> axes() const override { return inner_.axes(); }
  std::optional<Refusal> refuses(const PlannedStage& stage) const override {
    return inner_.refuses(stage);
  }
  Value upload(const Tensor& tensor, const Execution& execution) override {
    return inner_.upload(tensor, execution);
  }
  Tensor download(const Value& value, const Execution& execution) override {
    return inner_.download(value, execution);
  }
  bool reads(const Value& value) const override { return inner_.reads(value); }
  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override {
    return inner_.run(stage, inputs, reading, execution);
  }
  Digest digest(const Value& value, const Execution& execution) override {
    return inner_.digest(value, execution);
  }
  Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                     const Allowance& allowance, const Execution& execution) override {
    return inner_.compare(a, b, magnitude, allowance, execution);
  }
  Split split(const Value& a, const Value& local, const Value& b,
              const Execution& execution) override {
    return inner_.split(a, local, b, execution);
  }
  Accumulation accumulate(const Value& a, const Value& local, const Value& b,
                          const Execution& execution) override {
    return inner_.accumulate(a, local, b, execution);
  }
  ErrorMap map(const Value& a, const Value& b, const Execution& execution) override {
    return inner_.map(a, b, execution);
  }
  std::vector<double> elements(const Value& value,
                               std::span<const std::int64_t> indices) const override {
    return inner_.elements(value, indices);
  }
  void forget(const PlannedStage& stage) override { inner_.forget(stage); }
  std::int64_t device_peak_bytes() const override { return inner_.device_peak_bytes(); }

 protected:
  Backend& inner_;
};

}  // namespace parity
