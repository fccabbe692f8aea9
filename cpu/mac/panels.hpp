#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/mac/mac.hpp"
#include "cpu/mac/packed.hpp"
#include "cpu/mac/walk.hpp"

namespace parity::cpu {

/// How the lanes of a vector are used.
enum class Lanes {
  outputs,   ///< output channels of one group; an input element is broadcast
  depthwise  ///< groups of one input and one output channel each; inputs are loaded side by side
};

/// Weights as panels of output channels. Inside a panel, k rows in MAC order (ic div 32, tap, ic
/// mod 32), each of `width` elements padded with zeros to whole strips, so that every vector width
/// reads the same image.
template <class T>
class Panels final : public Packed {
 public:
  /// Elements of a strip: one 64-byte vector, the unit of padding.
  static constexpr std::int64_t strip = 64 / sizeof(T);
  /// Strips of the widest panel. Depthwise ones are wider: their pixels' addresses cost as much as
  /// the few products of a strip.
  static constexpr std::int64_t most_strips = 4, most_depthwise_strips = 16;

  template <class W>
  Panels(const Window& window, const Weights<W>& w);

  Lanes lanes() const { return lanes_; }
  const std::vector<Panel>& panels() const { return panels_; }
  std::int64_t strips() const { return strips_; }  ///< of the widest panel
  std::int64_t strips_of(std::size_t panel) const {
    return (panels_[panel].channels + strip - 1) / strip;
  }
  const T* weights(std::size_t panel) const { return data_.get() + offset_[panel]; }
  /// The window to walk: with Lanes::depthwise all groups become channels of one.
  Window walked(const Window& window) const;
  bool finite() const { return finite_; }  ///< no weight is infinite or NaN
  const Window& packed_for() const { return packed_for_; }

 private:
  struct Free {
    void operator()(T* data) const;
  };

  Window packed_for_;
  Lanes lanes_;
  bool finite_ = true;
  std::int64_t strips_ = 0;
  std::vector<Panel> panels_;
  std::vector<std::int64_t> offset_;  ///< of each panel's first weight
  std::unique_ptr<T[], Free> data_;
};

extern template class Panels<float>;
extern template class Panels<double>;

}  // namespace parity::cpu
