#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/comparison.hpp"

namespace parity {

/// What a sweep varies: a named extent, an input, a side.
struct SweepAxis {
  std::string name;                 ///< "seq", "input", "b"
  std::vector<std::string> values;  ///< as written, in the order they are tried; at least one
};

/// What one diff of a sweep came to.
struct SweepPoint {
  std::vector<std::size_t> at;  ///< the value on each axis
  int exit_code = 0;
  std::string refused;                       ///< why nothing ran; then what follows is empty
  std::int64_t counts[5] = {0, 0, 0, 0, 0};  ///< stages per Verdict, in its order
  std::string output;            ///< the graph output that differs most, relative to its RMS of a
  double max_abs = 0;            ///< |b - a| there; infinite where NaN or infinities do not match
  double relative = 0;           ///< max_abs / RMS(a); infinite where only b is other than zero
  bool same_bits = true;         ///< of every graph output
  std::string beyond_tolerance;  ///< the first output that exceeds the tolerance; empty: none
  std::string first_different;   ///< the first stage that gave other bits on the same inputs
  std::string first_diverging;
  std::string first_unjudged;   ///< the first untrusted stage, or one that was not run
  std::string unjudged_reason;  ///< its reason
  std::string largest_share;    ///< the stage that the largest part of the final error comes from
  double share = 0;             ///< that part
  std::vector<std::string> unmoved;                     ///< outputs that equal an input bit for bit
  std::vector<std::pair<std::string, Digest>> inputs;   ///< by name
  std::string input_shapes;                             ///< "1x50x6 1x1x12", in the same order
  std::vector<std::pair<std::string, Digest>> outputs;  ///< of a, by name, where a stage makes them
  double seconds = 0;                                   ///< time
};
/// Stages of the point that were compared, and those of them that are no agreement though none
/// diverged: untrusted or not run.
std::int64_t stages_of(const SweepPoint& point);
std::int64_t unjudged_of(const SweepPoint& point);

/// Something that only several points together tell, or that a single point should not pass
/// silently.
struct SweepFinding {
  bool warning = false;
  std::string text;  ///< one sentence
};

/// What `paritylab sweep` tells.
struct SweepRecord {
  std::string tool_version, tool_commit, command;
  std::string model;
  std::vector<SweepAxis> axes;
  std::vector<SweepPoint> points;  ///< every combination, the last axis fastest
  std::vector<SweepFinding> findings;
  int exit_code = 0;
};

/// Whether the values are numbers that grow, so that "from here on" means something.
bool is_size(const SweepAxis& axis);

/// Every combination of values as positions on the axes, the last axis fastest.
std::vector<std::vector<std::size_t>> combinations(const std::vector<SweepAxis>& axes);

/// "seq=10 b=cpu:fp64": the values of a point on all axes but `without`.
std::string setting_text(const std::vector<SweepAxis>& axes, const std::vector<std::size_t>& at,
                         std::size_t without = static_cast<std::size_t>(-1));

}  // namespace parity
