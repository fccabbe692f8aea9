#include "cli/backends.hpp"

#include "cli/environment.hpp"
#include "cli/file_bytes.hpp"
#include "cpu/backend.hpp"
#include "cuda/cuda.hpp"
#include "model/error.hpp"
#include "model/vendor_variables.hpp"

namespace parity::cli {

namespace {

/// "conv=tf32 matmul=fp32 rnn=fp32 on sm_90": the part of the numerics that a MATH stands for.
std::string maths_of(const Numerics& numerics) {
  std::string text = "conv=" + std::string(name(numerics.conv)) +
                     " matmul=" + std::string(name(numerics.matmul)) +
                     " rnn=" + std::string(name(numerics.rnn));
  if (numerics.arch != Arch::none) text += " on " + std::string(name(numerics.arch));
  return text;
}

/// `cuda:tf32` without an arch means the device's own.
Numerics numerics_on(const Backend& backend, const Spec& spec) {
  Numerics numerics = spec.numerics;
  const bool tf32 =
      numerics.conv == Math::tf32 || numerics.matmul == Math::tf32 || numerics.rnn == Math::tf32;
  if (spec.backend != "cuda" || !tf32 || numerics.arch != Arch::none) return numerics;
  const std::optional<Arch> arch = cuda::native_arch(backend);
  if (!arch)
    throw Error(Fault::bad_request, "the spec '" + spec.text +
                                        "' asks for TF32, which this device's tensor cores do not "
                                        "have; cuda:fp32 runs on it, and cpu:tf32@sm_90 computes "
                                        "what an H100 or H200 does.");
  numerics.arch = *arch;
  return numerics;
}

/// What `read` makes of the file's text; its refusals name the file.
template <class F>
auto of_file(const std::string& path, const F& read) {
  const std::string text = read_text_file(path);
  try {
    return read(text);
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_input) throw;
    throw Error(Fault::bad_input, path + ": " + error.what());
  }
}

}  // namespace

PlanFile plan_in(const std::string& path) { return of_file(path, parse_plan); }

Processor open_processor() {
  auto processor = std::make_shared<cpu::CpuBackend>();
  return {processor, processor};
}

std::shared_ptr<Backend> open_backend(const Spec& spec, const Processor& processor) {
  if (spec.backend == "cpu") return processor.backend;
  if (spec.backend == "cuda") return cuda::make_backend(spec.device);
  throw Error(Fault::bad_request, "the spec '" + spec.text +
                                      "' is a recording and computes nothing; only --b of `diff` "
                                      "takes one.");
}

Plan plan_for(const Spec& spec, const Graph& graph, const std::vector<Stage>& stages,
              const Backend& backend) {
  const auto demand_environment = [&](const Numerics& numerics) {
    demand_no_contradiction(vendor_facts(), stages, numerics, spec.text);
  };
  if (!spec.plan_file.empty()) {
    Plan plan = of_file(spec.plan_file, [&](const std::string& text) {
      demand_environment(parse_plan(text).numerics);
      return read_plan(text, graph, stages, backend);
    });
    const std::string asked = maths_of(spec.numerics), planned = maths_of(plan.numerics);
    if (asked != planned)
      throw Error(Fault::bad_request, "the spec '" + spec.text + "' asks for " + asked +
                                          ", but the plan " + spec.plan_file + " was made for " +
                                          planned + ". Write the spec as the plan was made.");
    return plan;
  }
  const Numerics numerics = numerics_on(backend, spec);
  demand_environment(numerics);
  return make_plan(stages, numerics, backend, spec.text);
}

Side side_of(const Computing& side, const Processor& processor, const Execution& execution,
             const Spec& spec) {
  Execution own = execution;
  own.device = spec.device;
  Backend* const twin = side.backend == processor.backend ? nullptr : processor.backend.get();
  return {*side.backend, side.plan, own, twin};
}

Spec spec_of(const std::string& on, const std::string& plan_file) {
  if (plan_file.empty()) return parse_spec(on);
  Spec spec = parse_spec(on.empty() ? plan_in(plan_file).spec : on);
  if (!spec.plan_file.empty() && !on.empty())
    throw Error(Fault::bad_request,
                "--on " + on + " and --plan " + plan_file + " both name a plan; keep one.");
  spec.plan_file = plan_file;
  return spec;
}

}  // namespace parity::cli
