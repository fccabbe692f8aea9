#include "cpu/mac/panels.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <string>

#include "model/error.hpp"

namespace parity::cpu {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Uninitialised, 64-byte aligned; on huge pages where the system gives them, because a panel is
/// read once per tile and would otherwise miss the first-level TLB.
void* allocate(std::size_t bytes) {
  const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, std::max(rounded, alignment));
  if (data == nullptr)
    throw Error(Fault::out_of_memory,
                "packing the weights of a convolution or matrix product needs " +
                    std::to_string(bytes) +
                    " bytes, which the system did not give; free memory or run a smaller "
                    "part of the model");
#ifdef MADV_HUGEPAGE
  if (alignment == huge_page)
    madvise(data, rounded, MADV_HUGEPAGE);  // advice: failing changes no result
#endif
  return data;
}

}  // namespace

template <class T>
void Panels<T>::Free::operator()(T* data) const {
  std::free(data);
}

template <class T>
template <class W>
Panels<T>::Panels(const Window& window, const Weights<W>& w) : packed_for_(window) {
  const bool depthwise = window.G > 1 && window.IC == 1 && window.OC == 1;
  lanes_ = depthwise ? Lanes::depthwise : Lanes::outputs;
  const Window inside = walked(window);

  // Panels of one group are as even as whole strips allow: 65 floats are 48 + 17, not 64 + 1.
  const std::int64_t all_strips = (inside.OC + strip - 1) / strip;
  const std::int64_t most = depthwise ? most_depthwise_strips : most_strips;
  const std::int64_t panels_per_group = (all_strips + most - 1) / most;
  const std::int64_t taps = window.KH * window.KW;
  const std::int64_t K = taps * window.IC;
  std::int64_t size = 0;
  for (std::int64_t g = 0; g < inside.G; ++g) {
    for (std::int64_t i = 0; i < panels_per_group; ++i) {
      const std::int64_t first = all_strips * i / panels_per_group;
      const std::int64_t last = all_strips * (i + 1) / panels_per_group;
      strips_ = std::max(strips_, last - first);
      panels_.push_back({g, first * strip, std::min(last * strip, inside.OC) - first * strip});
      offset_.push_back(size);
      size += (last - first) * strip * K;
    }
  }

  data_.reset(static_cast<T*>(allocate(static_cast<std::size_t>(size) * sizeof(T))));
  for (std::size_t i = 0; i < panels_.size(); ++i) {
    const Panel& panel = panels_[i];
    const std::int64_t width = strips_of(i) * strip;
    T* row = data_.get() + offset_[i];
    for (std::int64_t block = 0; block < window.IC; block += channel_block) {
      const std::int64_t end = std::min(block + channel_block, window.IC);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t ic = block; ic < end; ++ic, row += width) {
          for (std::int64_t j = 0; j < width; ++j) {
            if (j >= panel.channels) {
              row[j] = T{0};
              continue;
            }
            const std::int64_t g = depthwise ? panel.channel + j : panel.group;
            const std::int64_t oc = depthwise ? 0 : panel.channel + j;
            const W value =
                w.data[g * w.stride_g + tap * w.stride_tap + ic * w.stride_ic + oc * w.stride_oc];
            finite_ = finite_ && std::isfinite(value);
            row[j] = value;
          }
        }
      }
    }
  }
}

template <class T>
Window Panels<T>::walked(const Window& window) const {
  Window result = window;
  if (lanes_ == Lanes::depthwise) {
    result.IC = result.OC = window.G;
    result.G = 1;
  }
  return result;
}

template class Panels<float>;
template class Panels<double>;
template Panels<float>::Panels(const Window&, const Weights<float>&);
template Panels<double>::Panels(const Window&, const Weights<float>&);
template Panels<double>::Panels(const Window&, const Weights<double>&);

}  // namespace parity::cpu
