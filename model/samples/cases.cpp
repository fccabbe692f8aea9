#include "model/samples/cases.hpp"

namespace parity {
namespace {

enum class Velocity { predicted, absent };

/// One CenterPoint task per count of classes.
std::vector<std::vector<Quantity>> tasks(const std::vector<std::int64_t>& classes,
                                         Velocity velocity) {
  std::vector<std::vector<Quantity>> all;
  for (const std::int64_t count : classes) {
    std::vector<Quantity> quantities{{"reg", 2}, {"height", 1}, {"dim", 3}, {"rot", 2}};
    if (velocity == Velocity::predicted) quantities.push_back({"vel", 2});
    quantities.push_back({"heatmap", count});
    all.push_back(std::move(quantities));
  }
  return all;
}

std::vector<SecondCase> make_cases() {
  using enum NeckBranch::Direction;
  const std::vector<std::int64_t> halving{2, 2, 2}, full_first{1, 2, 2};
  const std::vector<NeckBranch> to_second{{down, 2, 128}, {down, 1, 128}, {up, 2, 128}};
  const std::vector<NeckBranch> to_first{{down, 1, 128}, {up, 2, 128}, {up, 4, 128}};
  const auto nuscenes =
      tasks({1, 2, 2, 1, 2, 2}, Velocity::predicted);  // ten classes in six groups
  const auto autoware = tasks({5}, Velocity::predicted);
  const auto three_classes = tasks({3}, Velocity::absent);

  SecondCase common;
  common.widths = {64, 128, 256};
  common.layers = {3, 5, 5};
  const auto with =
      [&](std::string_view name, std::string_view user, std::int64_t channels, std::int64_t height,
          std::int64_t width, const std::vector<std::int64_t>& strides,
          const std::vector<NeckBranch>& neck, const std::vector<std::vector<Quantity>>& heads) {
        SecondCase net = common;
        net.name = name;
        net.user = user;
        net.channels = channels;
        net.height = height;
        net.width = width;
        net.strides = strides;
        net.neck = neck;
        net.tasks = heads;
        // 32 x 32 pixels reach the middle block of every case
        net.settling_height = net.settling_width = strides.front() == 2 ? 128 : 64;
        return net;
      };
  std::vector<SecondCase> cases{
      with("A", "CenterPoint-pillar nuScenes (mmdet3d, OpenPCDet)", 64, 512, 512, halving,
           to_second, nuscenes),
      with("B", "Autoware centerpoint", 32, 480, 480, full_first, to_first, autoware),
      with("C", "Autoware centerpoint_tiny", 32, 480, 480, halving, to_first, autoware),
      with("D", "PointPillars KITTI (OpenPCDet, mmdet3d)", 64, 496, 432, halving, to_first,
           three_classes),
      with("E", "CenterPoint-pillar Waymo (OpenPCDet)", 64, 468, 468, full_first, to_first,
           three_classes),
      with("F", "AWML CenterPoint base 121 m", 32, 760, 760, full_first, to_first, autoware),
  };

  SecondCase voxel = with("G", "CUDA-CenterPoint voxel 0.075", 256, 180, 180, {1, 2},
                          {{down, 1, 256}, {up, 2, 256}}, nuscenes);
  voxel.widths = {128, 256};
  voxel.layers = {5, 5};
  voxel.settling_height = voxel.settling_width = 48;
  cases.push_back(voxel);

  SecondCase narrow =
      with("narrow", "no deployed network: small and of odd widths, for tests", 12, 64, 48, halving,
           {{down, 2, 24}, {down, 1, 24}, {up, 2, 24}}, tasks({1, 2}, Velocity::predicted));
  narrow.widths = {16, 40, 72};
  narrow.shared = 24;
  narrow.head = 16;
  narrow.settling_height = narrow.height;
  narrow.settling_width = narrow.width;
  cases.push_back(narrow);
  return cases;
}

}  // namespace

const std::vector<SecondCase>& second_cases() {
  static const std::vector<SecondCase> cases = make_cases();
  return cases;
}

}  // namespace parity
