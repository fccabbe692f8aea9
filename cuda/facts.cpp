#include "cuda/facts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/tf32.hpp"

namespace parity::cuda {
namespace {

/// sm_75 is the oldest that any toolkit of the lab compiles for.
constexpr int oldest_capability = 75;

constexpr ProductProbe probes[] = {
    // One operand is 1: what became of the other.
    {0x1.003p+0F, 1.0F},     // 1 + 0.75 * 2^-10: truncation gives 1
    {0x1.002p+0F, 1.0F},     // 1 + 0.5 * 2^-10: a tie, whose even neighbour is 1
    {0x1.006p+0F, 1.0F},     // 1 + 1.5 * 2^-10: a tie, whose even neighbour is 1 + 2 * 2^-10
    {0x1.001ffep+0F, 1.0F},  // a little below a tie: every nearest rounding gives 1
    {1.0F, 0x1.003p+0F},
    {0x1.000002p+0F, 1.0F},  // the last bit of float32
    {-0x1.fffffep+0F, 1.0F},
    // Products of 24 by 24 bits, and of the smallest numbers: one rounding of the exact product, or pieces.
    {0x1.fffffep+0F, 0x1.fffffep+0F},
    {0x1.555556p+0F, 0x1.aaaaaap+0F},
    {0x1.92d2c6p+0F, 0x1.64a8d4p+0F},
    {0x1.6a09e6p+0F, 0x1.6a09e8p+0F},
    {0x1.0a3d72p+0F, -0x1.f7ced8p+0F},
    {0x1.3c6ef4p+0F, 0x1.9e377ap+0F},
    {0x1.234568p-140F, 0x1.0p+100F},
};

float product(ProductProbe probe, bool tf32, Rounding rounding) {
  if (!tf32) return probe.x * probe.y;
  return float_of(round_to_tf32(bits_of(probe.x), rounding)) *
         float_of(round_to_tf32(bits_of(probe.y), rounding));
}

}  // namespace

std::optional<Arch> tensor_arch(int capability) {
  if (capability < 80) return std::nullopt;
  switch (capability) {
    case 80:
      return Arch::sm_80;
    case 86:
      return Arch::sm_86;
    case 87:
      return Arch::sm_87;
    case 89:
      return Arch::sm_89;
    case 90:
      return Arch::sm_90;
    default:
      return capability < 120 ? Arch::sm_100 : Arch::sm_120;
  }
}

std::string version_text(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

Availability availability_of(Api& api) {
  const std::string otherwise =
      "; cpu:tf32@sm_90 computes on this machine what the TF32 tensor cores of an H100 or H200 "
      "compute, and cpu:fp32 is the twin of cuda:fp32";
  int count = 0;
  if (const Status status = api.device_count(&count); status != success) {
    const std::string why = api.describe(status);
    api.clear_error();
    return {{}, {}, "the CUDA runtime finds no device that it can use: " + why + otherwise};
  }
  Availability result;
  for (int number = 0; number < count; ++number) {
    DeviceProperties p;
    Device device;
    device.number = number;
    if (const Status status = api.properties(number, &p); status != success) {
      device.name = "unnamed device";
      device.why = std::string("it does not answer: ") + api.describe(status);
      api.clear_error();
    } else {
      const int capability = p.major * 10 + p.minor;
      device.name = std::string(p.name) + ", sm_" + std::to_string(capability) + ", " +
                    std::to_string(p.multiprocessors) + " multiprocessors, " +
                    std::to_string(p.memory_bytes >> 30) + " GiB";
      if (capability < oldest_capability) device.why = "kernels are compiled for sm_75 and newer";
    }
    result.devices.push_back(std::move(device));
  }
  const bool usable = std::any_of(result.devices.begin(), result.devices.end(),
                                  [](const Device& device) { return device.why.empty(); });
  if (!usable) result.why = "this machine has no GPU that paritylab can use" + otherwise;
  return result;
}

std::string name(ProductMath math) {
  switch (math) {
    case ProductMath::fp32:
      return "FP32";
    case ProductMath::tf32_rna:
      return "TF32 (rna)";
    case ProductMath::tf32_rn:
      return "TF32 (rn)";
    case ProductMath::tf32_truncate:
      return "TF32 (truncate)";
    case ProductMath::emulated:
      return "FP32 emulated by pieces (BF16x9)";
    case ProductMath::unknown:
      break;
  }
  return "unknown arithmetic";
}

std::span<const ProductProbe> product_probes() { return probes; }

ProductMath classify(std::span<const float> products) {
  if (products.size() != std::size(probes))
    throw Error(Fault::internal, "the product probe was given " + std::to_string(products.size()) +
                                     " answers instead of " + std::to_string(std::size(probes)));
  const auto all = [&](bool tf32, Rounding rounding) {
    for (std::size_t i = 0; i < products.size(); ++i) {
      // Of TF32 operands with at most 11 bits the product is exact; tensor cores may flush none of it.
      if (bits_of(products[i]) != bits_of(product(probes[i], tf32, rounding))) return false;
    }
    return true;
  };
  if (all(false, Rounding::rna)) return ProductMath::fp32;
  if (all(true, Rounding::rna)) return ProductMath::tf32_rna;
  if (all(true, Rounding::rn)) return ProductMath::tf32_rn;
  if (all(true, Rounding::truncate)) return ProductMath::tf32_truncate;
  // Whole operands where the other one is 1, and every product close, but not each rounded once.
  bool whole = true, close = true;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const double exact = static_cast<double>(probes[i].x) * static_cast<double>(probes[i].y);
    if (probes[i].x == 1 || probes[i].y == 1)
      whole = whole && static_cast<double>(products[i]) == exact;
    else if (std::fabs(probes[i].x) > 1)
      close = close && std::fabs(static_cast<double>(products[i]) - exact) <=
                           0x1p-20 * std::fabs(exact);  // four bits short of float32
  }
  return whole && close ? ProductMath::emulated : ProductMath::unknown;
}

}  // namespace parity::cuda
