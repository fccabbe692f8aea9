// The derived bound of tensor:* holds: random dot products against exact sums.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/arithmetic/bounds.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"

namespace parity {
namespace {

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

/// A double-double: the sum of products of floats (exact in double) to about 2^-104 of the sum of
/// magnitudes.
struct ExactSum {
  double high = 0, low = 0;
  void add(double term) {
    const double sum = high + term;
    const double part = sum - high;
    low += (high - (sum - part)) + (term - part);
    high = sum;
  }
};

struct Kind {
  const char* name;
  /// The pair number k of dot product i.
  std::pair<float, float> (*draw)(const Counter& random, std::uint64_t at, std::uint64_t k);
};

constexpr Kind kinds[] = {
    {"normal",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       return std::pair(static_cast<float>(random.normal(at + 2 * k)),
                        static_cast<float>(random.normal(at + 2 * k + 1)));
     }},
    {"same sign",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       return std::pair(static_cast<float>(1 + random.uniform(at + 2 * k)),
                        static_cast<float>(1 + random.uniform(at + 2 * k + 1)));
     }},
    {"cancelling",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       const std::uint64_t partner = k / 16 * 8 + k % 8;  // eight terms away: in another step
       const auto x = static_cast<float>(random.normal(at + 2 * partner));
       return std::pair(k / 8 % 2 == 0 ? x : -x,
                        static_cast<float>(random.normal(at + 2 * partner + 1)));
     }},
    {"wide",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       const int exponent = static_cast<int>(random.bits(at + 2 * k) % 41) - 20;
       return std::pair(std::ldexp(static_cast<float>(random.normal(at + 2 * k)), exponent),
                        static_cast<float>(random.normal(at + 2 * k + 1)));
     }},
    // All error of truncation to one side: every operand just below the next TF32 number.
    {"adversarial",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       const auto low = [](std::uint64_t draw, std::uint32_t tail) {
         return std::bit_cast<float>(0x3f800000U | static_cast<std::uint32_t>(draw % 4) << 13 |
                                     tail);
       };
       return std::pair(low(random.bits(at + 2 * k), 0x1fff),
                        low(random.bits(at + 2 * k + 1), 0x1fff));
     }},
    {"near underflow",
     [](const Counter& random, std::uint64_t at, std::uint64_t k) {
       return std::pair(std::ldexp(static_cast<float>(random.normal(at + 2 * k)), -70),
                        std::ldexp(static_cast<float>(random.normal(at + 2 * k + 1)), -68));
     }},
};

constexpr int lengths[] = {1, 7, 8, 9, 16, 64, 200, 576};

/// What one sweep found: the largest error / bound per kind and contract.
struct Sweep {
  std::uint64_t dots = 0;
  std::map<std::string, double> largest_share;
};

enum class Operands {
  float32,  ///< rounded by the contract: both clauses of the bound act
  tf32      ///< exact as they are: the accumulation alone
};

void sweep(Operands operands, std::uint64_t dots, Sweep& found) {
  std::vector<std::uint32_t> a, b;
  for (std::uint64_t i = 0; i < dots; ++i) {
    const Kind& kind = kinds[i % std::size(kinds)];
    // Long ones rarely: they cost the most.
    const int length = lengths[i % 97 == 0 ? 7 : i % 31 == 0 ? 6 : i / 6 % 6];
    Contract contract;
    contract.algorithm = i / 2 % 2 == 0 ? Algorithm::tensor_k4f24 : Algorithm::tensor_k8f25;
    contract.rounding = static_cast<Rounding>(i / 5 % 3);
    const TensorCore& core = tensor_core(contract.algorithm);

    const Counter random(i, "bound");
    ExactSum exact;
    float magnitude = 0;  // M as a backend forms it: the FP32 chain on absolute values
    a.clear();
    b.clear();
    for (int k = 0; k < length; ++k) {
      auto [x, w] = kind.draw(random, 0, static_cast<std::uint64_t>(k));
      a.push_back(round_to_tf32(bits(x), *contract.rounding));
      b.push_back(round_to_tf32(bits(w), *contract.rounding));
      if (operands == Operands::tf32) {
        x = std::bit_cast<float>(a.back());
        w = std::bit_cast<float>(b.back());
      }
      exact.add(static_cast<double>(x) * static_cast<double>(w));
      magnitude =
          std::fma(std::max(std::abs(x), 0x1p-126F), std::max(std::abs(w), 0x1p-126F), magnitude);
    }
    const float y = std::bit_cast<float>(tensor_core_dot(core, a, b));
    const std::int64_t steps = (length + 7) / 8 * (8 / core.block);
    Allowance allowance = mac_allowance(contract, length, steps);
    if (operands == Operands::tf32) {
      allowance.coefficient -= mac_allowance(contract, length, 0).coefficient;
    }
    const double bound = allowance.coefficient * magnitude + allowance.underflow;
    const double error = std::abs((static_cast<double>(y) - exact.high) - exact.low);
    ASSERT_LE(error, bound) << kind.name << ", dot product " << i << " of " << length << " terms, "
                            << contract.text();
    double& share = found.largest_share[std::string(kind.name) + ", " + contract.text()];
    share = std::max(share, error / bound);
    ++found.dots;
  }
}

void report(const Sweep& found) {
  for (const auto& [what, share] : found.largest_share) {
    testing::Test::RecordProperty(what, std::to_string(share));
  }
}

TEST(TensorBound, NoDotProductLeavesItsAllowance) {
  Sweep found;
  sweep(Operands::float32, 100'000, found);
  EXPECT_EQ(found.dots, 100'000U);
  report(found);
  // The bound has power: some error uses more than half of it.
  EXPECT_GT(found.largest_share["adversarial, tensor:k8f25/truncate"], 0.5);
}

TEST(TensorBound, ALibrarysBoundCoversEveryTensorCoreAndEveryOrder) {
  Contract library;
  library.algorithm = Algorithm::gemm_cublas;
  // Whole groups: a step of zeros alone, which the core's own bound counts, loses nothing.
  for (const std::int64_t channels : {8, 64, 2304}) {
    for (const Algorithm core : {Algorithm::tensor_k4f24, Algorithm::tensor_k8f25})
      for (const Rounding rounding : {Rounding::rna, Rounding::truncate}) {
        Contract own;
        own.algorithm = core;
        own.rounding = rounding;
        library.rounding = Rounding::rna;  // what it says; a kernel of its choice may truncate
        const Allowance wide = mac_allowance(library, channels, 0),
                        narrow = mac_allowance(own, channels, tensor_steps(own, channels, 1));
        EXPECT_GE(wide.coefficient, narrow.coefficient) << own.text() << ", " << channels;
        EXPECT_GE(wide.underflow, narrow.underflow) << own.text() << ", " << channels;
      }
    library.rounding.reset();
    Contract chain;
    chain.algorithm = Algorithm::chain;
    EXPECT_EQ(mac_allowance(library, channels, 0).coefficient,
              mac_allowance(chain, channels, 0).coefficient);
  }
}

TEST(TensorBound, NoAccumulationOfExactOperandsLeavesItsClause) {
  Sweep found;
  sweep(Operands::tf32, 100'000, found);
  EXPECT_EQ(found.dots, 100'000U);
  report(found);
}

}  // namespace
}  // namespace parity
