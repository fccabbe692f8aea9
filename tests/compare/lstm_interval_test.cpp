#include "compare/lstm_interval.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "model/arithmetic/bounds.hpp"
#include "tests/compare/draw.hpp"

namespace parity {
namespace {

/// In [-1, 1); an end of it every second time, since the ends are where errors tell.
double error(Draw& draw) {
  if (draw.once_in(2)) return draw.once_in(2) ? -1 : 1;
  return draw.between(-1, 1);
}

double exact(GateFunction function, double x) {
  if (function == GateFunction::sigmoid) return 1 / (1 + std::exp(-x));
  return function == GateFunction::tanh ? std::tanh(x) : std::max(x, 0.0);
}

/// An LSTM's element whose every operation errs by what it may, or by all of it.
struct Erring {
  const CellForm& form;
  const CellErrors& errors;
  Draw& draw;

  double rounded(double x) { return x * (1 + errors.unit * error(draw)); }
  double gate(GateFunction function, double argument) {
    const auto clip = static_cast<double>(form.clip);
    if (clip > 0) argument = std::clamp(argument, -clip, clip);
    const double value = exact(function, argument);
    if (function == GateFunction::relu) return value;
    const double roundings = function == GateFunction::sigmoid ? recurrent::sigmoid_roundings
                                                               : recurrent::tanh_roundings;
    return value + error(draw) * (roundings * errors.unit * std::fabs(value) + errors.function);
  }
  double peeped(const GateArgument& a, double peephole, double c) {
    const double argument = a.value + a.error * error(draw);
    return peephole == 0 ? argument : rounded(argument + rounded(peephole * c));
  }
  /// Gives h, and leaves the new memory in c.
  double step(const GateArgument (&a)[4], const double (&peepholes)[3], double& c) {
    const double i = gate(form.f, peeped(a[0], peepholes[0], c)),
                 f = gate(form.f, peeped(a[2], peepholes[2], c)),
                 g = gate(form.g, peeped(a[3], 0, 0));
    c = rounded(rounded(f * c) + rounded(i * g));
    const double o = gate(form.f, peeped(a[1], peepholes[1], c));
    return rounded(o * gate(form.h, c));
  }
};

struct Told {
  std::int64_t steps = 0, out_of_reach = 0, memory_lost = 0, telling = 0;
};

/// Elements of every form over 80 steps. `telling`: steps whose output could have been told from most others.
Told walk_elements(std::uint64_t seed, std::int64_t elements) {
  Told told;
  for (std::int64_t k = 0; k < elements; ++k) {
    Draw draw(seed + static_cast<std::uint64_t>(k), "lstm_interval");
    const GateFunction functions[] = {GateFunction::sigmoid, GateFunction::tanh,
                                      GateFunction::relu};
    CellForm form;
    const bool usual = draw.once_in(2);
    if (!usual) {
      form.f = functions[draw.below(3)];
      form.g = functions[draw.below(3)];
      form.h = functions[draw.below(3)];
      if (draw.once_in(3)) form.clip = static_cast<float>(draw.between(0.1, 4));
    }
    const double unit = draw.once_in(4) ? 0x1p-40 : unit_roundoff;
    const CellErrors errors{0, 4 * unit, draw.once_in(2) ? 0 : 0x1p-21, 0, unit};
    const double size = std::exp2(draw.between(-3, 4)), kept = draw.between(-2, 6),
                 off = std::exp2(draw.between(-24, -6));
    double peepholes[3] = {0, 0, 0};
    if (draw.once_in(3))
      for (double& each : peepholes) each = draw.between(-1, 1);
    double c = draw.once_in(2) ? 0 : draw.between(-2, 2);
    Interval memory{c, c};
    Erring erring{form, errors, draw};
    for (int s = 0; s < 80 && std::fabs(c) < 0x1p60; ++s) {
      GateArgument arguments[4];
      for (GateArgument& each : arguments) each = {size * draw.between(-1, 1), off};
      arguments[2].value += kept;
      const LstmReach reach = lstm_reach(arguments, peepholes, memory, form, errors);
      const double h = erring.step(arguments, peepholes, c);
      memory = memory_behind(reach, h, form, errors);
      ++told.steps;
      told.out_of_reach += !(reach.h.low <= h && h <= reach.h.high);
      told.memory_lost += !(memory.low <= c && c <= memory.high);
      told.telling += usual && 4 * (reach.h.high - reach.h.low) <= 1;
    }
  }
  return told;
}

void expect_held(std::int64_t elements) {
  const Told told = walk_elements(1, elements);
  EXPECT_GT(told.steps, 40 * elements);
  EXPECT_EQ(told.out_of_reach, 0);
  EXPECT_EQ(told.memory_lost, 0);
  // Half of the elements are of the usual form.
  EXPECT_GT(3 * told.telling, told.steps);
}

TEST(LstmInterval, HoldsWhateverEveryOperationErrsBy) { expect_held(3'000); }
TEST(SlowLstmInterval, HoldsWhateverEveryOperationErrsBy) { expect_held(300'000); }

TEST(LstmInterval, AMemoryIsNarrowedByItsOutput) {
  const CellErrors errors = CellErrors::of_contract(0x1p-20, unit_roundoff, 64, 64);
  const GateArgument open = gate_argument(3, 4, 0, errors), shut = gate_argument(-3, 4, 0, errors);
  const double none[3] = {0, 0, 0};
  // Remembers what it had, of which nothing was known but that it is no giant.
  const LstmReach reach = lstm_reach({shut, open, open, open}, none, {-4, 4}, {}, errors);
  const Interval seen = memory_behind(reach, 0.5, {}, errors);
  EXPECT_GT(reach.memory.high - reach.memory.low, 7);
  EXPECT_LT((seen.high - seen.low) * 1000, 1);
}

TEST(LstmInterval, WhatIsOutOfReachLeavesBothStoriesOpen) {
  const CellErrors errors = CellErrors::of_contract(0x1p-20, unit_roundoff, 64, 64);
  const GateArgument open = gate_argument(3, 4, 0, errors), shut = gate_argument(-3, 4, 0, errors);
  const double none[3] = {0, 0, 0};
  const LstmReach reach = lstm_reach({shut, open, open, open}, none, {2, 2}, {}, errors);
  const double lost = 0.01;
  ASSERT_GT(reach.h.low, lost);
  const Interval memory = memory_behind(reach, lost, {}, errors);
  EXPECT_LT(memory.low, lost / 0.9);
  EXPECT_EQ(memory.high, reach.memory.high);
}

TEST(LstmInterval, NothingIsSaidWhereAnArgumentIsNotFinite) {
  const CellErrors errors = CellErrors::of_contract(0x1p-20, unit_roundoff, 4, 4);
  const GateArgument fine = gate_argument(1, 1, 0, errors);
  const GateArgument infinite = gate_argument(1, HUGE_VAL, 0, errors);
  const double none[3] = {0, 0, 0};
  const LstmReach reach = lstm_reach({fine, fine, infinite, fine}, none, {0, 0}, {}, errors);
  EXPECT_EQ(reach.h.low, -HUGE_VAL);
  EXPECT_EQ(reach.h.high, HUGE_VAL);
}

}  // namespace
}  // namespace parity
