#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace parity {

/// A neck branch: kernel = stride = `factor`, transposed when it brings the resolution up.
struct NeckBranch {
  enum class Direction { down, up } direction = Direction::down;
  std::int64_t factor = 1;
  std::int64_t channels = 128;
};

/// One regressed quantity of a head, or its heat map.
struct Quantity {
  std::string_view name;
  std::int64_t channels = 1;
};

/// The SECOND family as one of its users configures it. Per block one 3x3 convolution of stride
/// `strides`, then `layers` more of stride 1, each with BatchNorm and ReLU.
struct SecondCase {
  std::string_view name;
  std::string_view user;
  std::int64_t channels = 64, height = 512, width = 512;
  std::vector<std::int64_t> strides, widths, layers;
  std::vector<NeckBranch> neck;
  std::int64_t shared = 64, head = 64;  ///< channels of the shared convolution and inside heads
  std::vector<std::vector<Quantity>> tasks;                  ///< per task what is predicted
  std::int64_t settling_height = 128, settling_width = 128;  ///< of the settling image
};

/// The bench cases A to G and `narrow`, whose channel counts are no multiples of 32.
const std::vector<SecondCase>& second_cases();

}  // namespace parity
