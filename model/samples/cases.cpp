#include "model/samples/cases.hpp"

#include <array>

namespace parity {
namespace {

using enum Resize::Direction;

enum class Velocity { predicted, absent };

/// One CenterPoint task of `classes` classes.
std::vector<Quantity> task(std::int64_t classes, Velocity velocity) {
  std::vector<Quantity> quantities{{"reg", 2}, {"height", 1}, {"dim", 3}, {"rot", 2}};
  if (velocity == Velocity::predicted) quantities.push_back({"vel", 2});
  quantities.push_back({"heatmap", classes});
  return quantities;
}

/// The ten nuScenes classes in the six groups that CenterPoint makes of them.
std::vector<std::vector<Quantity>> nuscenes() {
  std::vector<std::vector<Quantity>> tasks;
  for (const std::int64_t classes : std::array<std::int64_t, 6>{1, 2, 2, 1, 2, 2})
    tasks.push_back(task(classes, Velocity::predicted));
  return tasks;
}

const std::vector<std::int64_t> widths{64, 128, 256};
const std::vector<std::int64_t> layers{3, 5, 5};
const std::vector<std::int64_t> halving{2, 2, 2};
const std::vector<std::int64_t> full_first{1, 2, 2};
const std::vector<Resize> to_second{{down, 2, 128}, {down, 1, 128}, {up, 2, 128}};
const std::vector<Resize> to_first{{down, 1, 128}, {up, 2, 128}, {up, 4, 128}};

}  // namespace

const std::vector<SecondCase>& second_cases() {
  static const std::vector<SecondCase> cases{
      {"A", "CenterPoint-pillar nuScenes (mmdet3d, OpenPCDet)", 64, 512, 512, halving, widths,
       layers, to_second, 64, 64, nuscenes(), 128},
      {"B",
       "Autoware centerpoint",
       32,
       480,
       480,
       full_first,
       widths,
       layers,
       to_first,
       64,
       64,
       {task(5, Velocity::predicted)},
       64},
      {"C",
       "Autoware centerpoint_tiny",
       32,
       480,
       480,
       halving,
       widths,
       layers,
       to_first,
       64,
       64,
       {task(5, Velocity::predicted)},
       128},
      {"D",
       "PointPillars KITTI (OpenPCDet, mmdet3d)",
       64,
       496,
       432,
       halving,
       widths,
       layers,
       to_first,
       64,
       64,
       {task(3, Velocity::absent)},
       128},
      {"E",
       "CenterPoint-pillar Waymo (OpenPCDet)",
       64,
       468,
       468,
       full_first,
       widths,
       layers,
       to_first,
       64,
       64,
       {task(3, Velocity::absent)},
       64},
      {"F",
       "AWML CenterPoint base 121 m",
       32,
       760,
       760,
       full_first,
       widths,
       layers,
       to_first,
       64,
       64,
       {task(5, Velocity::predicted)},
       64},
      {"G",
       "CUDA-CenterPoint voxel 0.075",
       256,
       180,
       180,
       {1, 2},
       {128, 256},
       {5, 5},
       {{down, 1, 256}, {up, 2, 256}},
       64,
       64,
       nuscenes(),
       48},
      {"narrow",
       "no deployed network: small and of odd widths, for tests",
       12,
       64,
       48,
       halving,
       {16, 40, 72},
       {3, 5, 5},
       {{down, 2, 24}, {down, 1, 24}, {up, 2, 24}},
       24,
       16,
       {task(1, Velocity::predicted), task(2, Velocity::absent)},
       32},
  };
  return cases;
}

}  // namespace parity
