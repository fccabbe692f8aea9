#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/backend.hpp"
#include "model/graph.hpp"

namespace parity {

/// A network that needs no file: FAMILY/CASE.
struct SampleInfo {
  std::string name;         ///< "second/A"
  std::string description;  ///< "SECOND backbone, CenterPoint-pillar nuScenes, 1x64x512x512"
  /// What `diff` feeds when nothing else is asked for: input name and generator, "pillars:7".
  std::vector<std::pair<std::string, std::string>> inputs;
};

/// Every sample, family by family.
const std::vector<SampleInfo>& samples();

/// The sample called `name`; a family alone means its case A. Throws Fault::bad_request with the
/// list and the nearest name.
const SampleInfo& sample_named(std::string_view name);

/// Builds a sample.
///
///   second/CASE       the SECOND backbone: `blocks.B.I`; one output per block
///   second_fpn/CASE   and the SECFPN neck: `neck.deblocks.B.0`, `neck`
///   centerpoint/CASE  the whole net after the scatter: `shared.0`, `heads.T.QUANTITY.I`; one
///                     output per task and quantity
///
/// for the bench cases A to G and `narrow`. Stages are named as PyTorch's exporter names them.
/// Weights are He-normal from a fixed seed. Every BatchNorm (kept as a step) normalises what
/// reaches it: its mean and variance are those of a pillar pseudo-image of smaller extent, run
/// through `settler` by `chain` and summed in index order in double on the host. So activations
/// stay in a realistic range, and, since `chain` promises host_to_gpu, the bits of the sample are
/// the same on every backend and machine, whatever `execution` says.
Graph sample_graph(std::string_view name, Backend& settler, const Execution& execution);

}  // namespace parity
