#pragma once

#include <memory>
#include <string>

#include "compare/differ.hpp"
#include "model/backend.hpp"
#include "model/plan.hpp"
#include "model/spec.hpp"

namespace parity::cli {

/// The processor, as a backend and as the oracle that the differ asks.
struct Processor {
  std::shared_ptr<Backend> backend;
  std::shared_ptr<Oracle> oracle;
};
Processor open_processor();

/// The backend of a spec: the processor itself for cpu, a device for cuda. Throws Fault::device
/// when there is no such device, and Fault::bad_request for a capture, which is no backend.
std::shared_ptr<Backend> open_backend(const Spec& spec, const Processor& processor);

/// A plan saved with --save-plan. Throws Fault::bad_input, naming the file, when it is missing or no
/// plan.
PlanFile plan_in(const std::string& path);

/// The plan file that the spec names, or a plan made from its numerics. Throws Fault::device when variables
/// that a vendor's library obeys contradict it.
Plan plan_for(const Spec& spec, const Graph& graph, const std::vector<Stage>& stages,
              const Backend& backend);

/// One side that computes: its backend and its plan.
struct Computing {
  std::shared_ptr<Backend> backend;
  Plan plan;
};
/// The same for compare/, on the spec's device; held to the processor, its twin, unless it is that.
Side side_of(const Computing& side, const Processor& processor, const Execution& execution,
             const Spec& spec);

/// The spec of --on, with --plan FILE as its plan; without --on the plan's own spec.
Spec spec_of(const std::string& on, const std::string& plan_file);

}  // namespace parity::cli
