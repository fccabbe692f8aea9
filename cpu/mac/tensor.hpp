#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/mac/mac.hpp"
#include "cpu/mac/tensor_kernel.hpp"
#include "cpu/mac/walk.hpp"

namespace parity::cpu {

/// Weights of one problem for `tensor:*`: rounded to TF32, panels of tensor_panel output channels,
/// groups of 8 k rows in the order (ic div 32, tap, ic mod 32), each tap's channels filled up with
/// zeros to a multiple of 8.
class PackedTensor final : public Packed {
 public:
  PackedTensor(const Window& window, const Weights<float>& w, Algorithm algorithm,
               Rounding rounding);

  Algorithm algorithm() const { return algorithm_; }
  Rounding rounding() const { return rounding_; }
  const std::vector<Panel>& panels() const { return panels_; }

  /// Groups of 8 channels in the 32-channel block `block` of every tap.
  std::int64_t groups_of(std::int64_t block) const;
  std::int64_t blocks() const { return (IC_ + 31) / 32; }
  /// The first group of (block, tap) in a panel; the others of that block and tap follow.
  std::int64_t group(std::int64_t block, std::int64_t tap) const {
    return block * 4 * taps_ + tap * groups_of(block);
  }

  /// The weights of a panel from `group` on.
  TensorRows rows(std::size_t panel, std::int64_t group) const;
  /// Whether a group holds a weight that lies outside tensor_window or is not finite.
  bool outside(std::size_t panel, std::int64_t group) const {
    return outside_[panel * groups_ + group] != 0;
  }
  bool any_outside(std::size_t panel) const { return facts_[panel].any_outside; }
  /// The exponent of the panel's largest weight; 0 when it has none in the reach of the fast path.
  int exponent(std::size_t panel) const { return facts_[panel].exponent; }
  /// Whether the fast path may touch the panel at all.
  bool in_reach(std::size_t panel) const { return facts_[panel].in_reach; }

  /// Throws Fault::internal unless packed for a window of the same weights.
  void require_fits(const Window& window) const;

 private:
  struct Free {
    void operator()(void* data) const;
  };
  struct Facts {
    int exponent = 0;
    bool in_reach = true, any_outside = false;
  };

  void pack_panel(const Weights<float>& w, std::size_t panel);

  Algorithm algorithm_;
  Rounding rounding_;
  std::int64_t G_, IC_, OC_, taps_;
  std::int64_t groups_ = 0;  ///< of one panel
  std::vector<Panel> panels_;
  std::vector<Facts> facts_;           ///< per panel
  std::vector<std::uint8_t> outside_;  ///< per panel and group
  std::unique_ptr<float[], Free> b_;
  std::unique_ptr<std::uint8_t[], Free> deficit_;
};

}  // namespace parity::cpu
