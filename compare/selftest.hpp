#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compare/inject.hpp"
#include "model/backend.hpp"

namespace parity {

/// A backend that runs both sides of the test, and the oracle that judges them. One per thread.
struct Workbench {
  std::shared_ptr<Backend> backend;
  std::shared_ptr<Oracle> oracle;
};

struct SelftestRequest {
  std::function<Workbench()> workbench;
  std::int64_t faults = 400;  ///< visible ones, to be found
  std::int64_t clean = 400;   ///< runs that must raise no alarm
  int threshold_samples = 3;  ///< networks per op and pair; 0: thresholds are left out
  std::uint64_t seed = 1;
  int threads = 1;
  std::function<void(std::int64_t done, std::int64_t all)> progress = {};
};

/// What became of one kind of fault.
struct FaultCount {
  Bug bug = Bug::bit_flipped;
  std::int64_t seated = 0;
  std::int64_t silent = 0;     ///< changed no bit (a NaN swallowed where there was none)
  std::int64_t invisible = 0;  ///< stayed within what correct arithmetic may do
  std::int64_t visible = 0, stage_right = 0, label_right = 0;
  /// Called by the name of another fault that, computed, gives the same bits.
  std::int64_t label_equal = 0;
};

/// Faults that were called something else.
struct Confusion {
  std::string expected, given;
  std::int64_t count = 0;
  std::string example;  ///< "strided.31, fp32 | fp32, stage 4 (Conv), amount 1"
};

/// The smallest fault that is found in every network tried.
struct Threshold {
  std::string op, pair;
  double scale = 0;  ///< of one channel, relative; 0: none was found
  double ulp = 0;    ///< of one element
  int networks = 0;
};

struct SelftestResult {
  std::uint64_t seed = 0;
  std::vector<FaultCount> faults;  ///< one per kind that was seated
  FaultCount total;
  FaultCount recorded;                ///< of them, judged as a recording by another program
  std::vector<Confusion> confusions;  ///< most frequent first
  std::vector<std::string>
      missed;  ///< where the wrong stage was named, or none, or another one too
  std::int64_t clean_runs = 0, clean_stages = 0;
  std::vector<std::string> false_alarms;
  std::int64_t untrusted_stages = 0;  ///< of the clean runs
  /// Exact probes (compare/probe.hpp) across contracts: stages that could be probed, and the
  /// mismatches of clean ones; single elements moved by one ULP, and how many of them were named.
  std::int64_t probed_stages = 0, probe_faults = 0, probe_found = 0;
  std::vector<std::string> probe_alarms;
  std::vector<Threshold> thresholds;

  /// At least 99.5 % of the visible faults at the exact stage, 95 % by the right name, no false
  /// alarm; every bit that a fault changes under a probe, and none without one.
  bool passed() const;
};

inline constexpr double stages_demanded = 0.995, labels_demanded = 0.95;

/// Injects faults into small networks of every topology, a third of them each under one contract on
/// both sides, under two, and in a recording that diff_capture() judges without being able to run
/// it; looks whether the stage and the fault are named. Compares clean sides under other algorithms,
/// precisions, orders and shapes; looks whether they stay silent. Everything follows from the seed,
/// whatever the number of threads.
///
/// A fault is visible when no correct arithmetic could have made it: it changes a bit where both
/// sides run one contract that promises its bits; otherwise it leaves, at some element, the bound of
/// the faulty side's own contract around the exact value (a recording is judged more widely, by any
/// order of its arithmetic, so that a few visible faults may hide from it: they count as missed).
/// What is not visible cannot be told from rounding by anybody and is counted apart.
SelftestResult selftest(const SelftestRequest& request);

}  // namespace parity
