#include "model/vendor_variables.hpp"

#include "model/error.hpp"
#include "model/plan.hpp"
#include "model/select.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

bool asks_for_tf32(const Contract& contract) { return contract.rounding.has_value(); }

/// One way in which a variable can make a library compute otherwise than it is asked to.
struct Rule {
  const char* variable;
  bool (*against)(const std::string& value, const Contract& contract);
  const char* effect;   ///< "makes cuBLAS ..."
  const char* instead;  ///< another request that would hold under it
};

// CUBLAS_WORKSPACE_CONFIG is no rule: every call is given its workspace, so it decides nothing. An empty
// value says nothing. What a value beyond the documented ones does is not known, so it counts as the
// change that it may be.
constexpr Rule rules[] = {
    {"NVIDIA_TF32_OVERRIDE",
     [](const std::string& value, const Contract& contract) {
       return value == "0" && asks_for_tf32(contract);
     },
     "keeps cuBLAS from rounding operands to TF32", "fp32"},
    {"NVIDIA_TF32_OVERRIDE",
     [](const std::string& value, const Contract& contract) {
       return !value.empty() && value != "0" && !asks_for_tf32(contract);
     },
     "may make cuBLAS round the operands of FP32 products to TF32", "tf32"},
    {"CUBLAS_EMULATE_SINGLE_PRECISION",
     [](const std::string& value, const Contract& contract) {
       return !value.empty() && value != "0" && !asks_for_tf32(contract);
     },
     "may make cuBLAS put FP32 products together from BF16 pieces", "tf32"},
};

}  // namespace

std::optional<std::string> contradiction(const Variables& variables, std::span<const Stage> stages,
                                         const Numerics& numerics, const std::string& spec) {
  if (variables.empty() || numerics.algorithm != Algorithm::gemm_cublas) return std::nullopt;
  for (const Stage& stage : stages) {
    const std::vector<OperandTypes> types = step_operand_types(stage);
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Contract contract = select(*stage.steps[i].op, types[i], numerics);
      if (contract.algorithm != Algorithm::gemm_cublas) continue;
      for (const auto& [name, value] : variables)
        for (const Rule& rule : rules) {
          if (name != rule.variable || !rule.against(value, contract)) continue;
          return "the environment has " + name + "=" + value + ", which " + rule.effect +
                 ", but stage " + shown(stage.name) + " of " + spec + " is to run by " +
                 contract.text() + ", in " + (asks_for_tf32(contract) ? "TF32" : "FP32") +
                 "; unset " + name + ", or ask for " + rule.instead +
                 " or for an algorithm of paritylab's own, such as chain, which obeys no variable";
        }
    }
  }
  return std::nullopt;
}

void demand_no_contradiction(const Variables& variables, std::span<const Stage> stages,
                             const Numerics& numerics, const std::string& spec) {
  if (const auto why = contradiction(variables, stages, numerics, spec))
    throw Error(Fault::device, *why + ".");
}

}  // namespace parity
