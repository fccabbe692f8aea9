#!/usr/bin/env python3
"""Writes the vectors beside it: what a TF32 tensor core gives, computed with exact fractions.

An independent route to model/arithmetic/tensor_core.cpp: every operand becomes a rational number, each numbered
rule of the model is applied to rationals, and only the result becomes bits again. Run it without arguments; it is
deterministic, so the committed files come out unchanged.
"""
import pathlib
import random
from fractions import Fraction

NAN, INF, MINUS_INF, MINUS_ZERO = 0x7FFFFFFF, 0x7F800000, 0xFF800000, 0x80000000
CORES = {"k4f24": (4, 24, -132), "k8f25": (8, 25, -133)}  # products per step, fraction bits, exponent floor


def two(exponent):
    return Fraction(2) ** exponent


def value(bits):
    """A finite float32 as a fraction."""
    field, fraction = bits >> 23 & 255, bits & 0x7FFFFF
    assert field != 255
    magnitude = fraction * two(-149) if field == 0 else (0x800000 + fraction) * two(field - 150)
    return -magnitude if bits >> 31 else magnitude


def exponent(bits):
    return max(bits >> 23 & 255, 1) - 127


def is_nan(bits):
    return bits & 0x7FFFFFFF > INF


def is_infinite(bits):
    return bits & 0x7FFFFFFF == INF


def is_zero(bits):
    return bits & 0x7FFFFFFF == 0


def toward_zero(x, sign=None):
    """The float32 next to the fraction x in the direction of zero; 2^128 and beyond is infinity."""
    sign = int(x < 0) if sign is None else sign
    x = abs(x)
    if x >= two(128):
        return sign << 31 | INF
    if x < two(-126):
        return sign << 31 | x // two(-149)
    e = x.numerator.bit_length() - x.denominator.bit_length()
    e -= two(e) > x
    assert two(e) <= x < two(e + 1)
    return sign << 31 | (e + 127) << 23 | (x // two(e - 23)) - 0x800000


def bits_of(x):
    """A number that float32 has, as bits."""
    bits = toward_zero(Fraction(x))
    assert value(bits) == Fraction(x), x
    return bits


def tf32(bits, rounding):
    """Which of its two TF32 neighbours (10 fraction bits) the rounding chooses for a finite float32."""
    if bits & INF == INF or rounding == "truncate":
        return bits & 0xFFFFE000
    x, spacing = abs(value(bits)), two(exponent(bits) - 10)
    below = x // spacing
    excess = x - below * spacing
    tie_up = rounding == "rna" or below % 2 == 1
    up = excess > spacing / 2 or excess == spacing / 2 and tie_up
    return toward_zero((below + up) * spacing, bits >> 31)


def step(core, a, b, c):
    block, kept, floor = core
    assert len(a) == len(b) == block
    a = [tf32(x, "truncate") for x in a]
    b = [tf32(x, "truncate") for x in b]
    # Rule 1: special values.
    if any(is_nan(x) for x in [*a, *b, c]):
        return NAN
    infinities = {c} if is_infinite(c) else set()
    for x, y in zip(a, b):
        if is_infinite(x) or is_infinite(y):
            if is_zero(x) or is_zero(y):
                return NAN
            infinities.add((x ^ y) & 0x80000000 | INF)
    if infinities:
        return infinities.pop() if len(infinities) == 1 else NAN
    # Rules 2 and 3: the terms that are not zero, and the largest of their exponents.
    terms = [(value(x) * value(y), exponent(x) + exponent(y)) for x, y in zip(a, b)]
    terms = [(v, e) for v, e in terms + [(value(c), exponent(c))] if v != 0]
    unit = two(max([floor] + [e for _, e in terms]) - kept)
    # Rules 4 to 6: each magnitude cut to whole units, an exact sum, one rounding toward zero.
    return toward_zero(sum(((1 if v > 0 else -1) * (abs(v) // unit) * unit for v, _ in terms), Fraction(0)))


def dot(core, a, b, c=0):
    for k in range(0, len(a), core[0]):
        c = step(core, a[k:k + core[0]], b[k:k + core[0]], c)
    return c


# ---- probes: one rule each ----------------------------------------------------------------------------------------

class Bits(int):
    """A bit pattern where a number is expected otherwise."""


ROWS = []


def row(tag, products, c=0):
    """At most eight products, then zeros."""
    def raw(x):
        return int(x) if isinstance(x, Bits) else bits_of(x)
    pairs = [(raw(x), raw(y)) for x, y in products] + [(0, 0)] * (8 - len(products))
    ROWS.append((tag, raw(c), [x for x, _ in pairs], [y for _, y in pairs]))


def at(k, product, others=()):
    """The product in position k, the others in front."""
    return [*others] + [(0, 0)] * (k - len(others)) + [product]


def alignment_probes():
    x = Fraction(3, 2)
    for n in range(22, 28):
        for sign in (1, -1):
            last = (sign * two(-12), two(12 - n))
            row(f"smallest_kept_2^-{n}_sign_{sign}", [(1, 1), last], -1)
            row(f"smallest_kept_c_largest_2^-{n}_sign_{sign}", [(-1, 1), last], 1)
            row(f"product_not_normalised_2^-{n}_sign_{sign}", [(x, x), (-x, x), last])
            row(f"product_not_normalised_against_c_2^-{n}_sign_{sign}", [(x, x), last], -x * x)
    for k in range(2, 8):
        for n in (24, 25, 26):
            last = (two(-10), two(10 - n))
            row(f"block_k{k}_2^-{n}", at(k, last, [(1, 1), (-1, 1)]))
            row(f"swamped_by_k{k}_2^-{n}", [last] * k + [(1, 1)] + [last] * (7 - k))
            row(f"swamped_by_c_k{k}_2^-{n}", [last] * k + [(-1, 1)] + [last] * (7 - k), 1)
    for sign in (1, -1):
        row(f"tails_cut_one_by_one_{sign}", [(sign * two(-12), two(-14) * Fraction(7, 4))] * 8, sign)
        row(f"no_sticky_bit_{sign}", [(sign, 1), (sign * two(-12), two(-13)), (-sign * two(-20), two(-20))], sign * two(-23))
        most = Fraction(2047, 1024)
        row(f"carry_bits_{sign}", [(sign * most, most)] * 8, sign * value(0x407FFFFF))
        row(f"rounds_toward_zero_half_{sign}", [(two(-12), sign * two(-12))], sign)
        row(f"rounds_toward_zero_most_{sign}", [(two(-12), sign * two(-12) * Fraction(7, 4))], sign)
        row(f"rounds_toward_zero_after_carry_{sign}", [(sign, 1), (two(-12), sign * two(-11))], sign)
        row(f"rounds_toward_zero_from_below_{sign}", [(two(-12), -sign * two(-13))], sign)
        tail = [(sign * two(-12), two(-13) * Fraction(3, 2))] * 4
        row(f"not_monotone_{sign}", tail, sign)
        row(f"not_monotone_one_below_{sign}", tail, sign * value(0x3F7FFFFF))
    row("low_bits_of_a_ignored", [(Bits(0x3F801FFF), 1)])
    row("low_bits_of_b_ignored", [(1, Bits(0xBF801FFF))])
    row("low_bits_of_c_kept", [], Bits(0x3F801FFF))
    row("low_bits_alone_are_zero", [(Bits(0x00001FFF), two(100))])
    row("c_passes", [], Bits(0x3F123457))
    row("c_passes_minus_zero_products", [(Bits(MINUS_ZERO), 5)] * 8, Bits(0x80123457))


def special_probes():
    inf, minus_inf, nan = Bits(INF), Bits(MINUS_INF), Bits(NAN)
    row("nan_in_a", [(Bits(0x7FC00000), 1)])
    row("nan_in_b", [(1, Bits(0xFFC00000))])
    row("nan_in_c", [(1, 1)], Bits(0x7FC00001))
    row("nan_times_zero", [(nan, 0)])
    row("nan_beside_infinities", [(nan, 1), (inf, 1)], inf)
    row("nan_of_low_bits_is_infinity", [(Bits(0x7F800001), 1)])
    row("nan_of_low_bits_in_c_is_nan", [], Bits(0x7F800001))
    row("infinity_in_a", [(inf, 1)], 1)
    row("infinity_in_b", [(1, minus_inf)], 1)
    row("infinities_of_two_signs_multiplied", [(inf, minus_inf)], 1)
    row("minus_infinity_squared", [(minus_inf, minus_inf)], 1)
    row("infinity_times_zero", [(inf, 0)])
    row("minus_zero_times_infinity", [(Bits(MINUS_ZERO), inf)])
    row("infinity_times_low_bits", [(inf, Bits(0x1FFF))])
    row("infinity_times_subnormal", [(inf, Bits(0x2000))])
    row("infinity_minus_infinity", [(inf, 1), (minus_inf, 1)])
    row("infinity_twice", [(inf, 1), (inf, 2)], inf)
    row("infinity_against_c", [(inf, 1)], minus_inf)
    row("infinite_c", [(1, 1)], inf)
    row("minus_infinite_c", [(1, 1)], minus_inf)
    row("infinities_in_two_halves", at(5, (minus_inf, 1), [(inf, 1)]))
    row("infinity_in_the_second_half", at(6, (inf, 2), [(1, 1)]))
    row("nan_in_the_second_half", at(7, (nan, 2), [(1, 1)]))


def range_probes():
    most = value(0x7F7FFFFF)
    row("products_beyond_range_cancel", [(two(100), two(100)), (-two(100), two(100)), (3, 1)])
    row("halves_beyond_range", at(4, (-two(100), two(100)), [(two(100), two(100))]))
    for sign in (1, -1):
        row(f"result_2^128_{sign}", [(two(64), sign * two(64))])
        row(f"sum_reaches_2^128_{sign}", [(two(63), sign * two(64))] * 2)
        row(f"largest_stays_{sign}", [(two(50), sign * two(53))], sign * most)
        row(f"largest_plus_its_unit_{sign}", [(two(50), sign * two(54))], sign * most)
        row(f"just_below_2^128_{sign}", [(two(63), sign * two(64)), (Fraction(2047, 1024) * two(60), sign * two(66))])
        row(f"below_the_smallest_{sign}", [(two(-80), sign * two(-75))])
        row(f"far_below_the_floor_{sign}", [(two(-126), sign * two(-126))])
        row(f"subnormal_c_{sign}", [], sign * two(-149))
        row(f"subnormal_c_and_product_{sign}", [(two(-70), two(-75))], sign * two(-149))
        row(f"becomes_subnormal_{sign}", [(two(-70), -sign * two(-57))], sign * two(-126))
    row("subnormal_a", [(two(-136), two(100))])
    row("subnormal_a_sets_the_exponent", [(two(-136), two(126)), (two(-20), two(-15)), (two(-20), two(-14))])
    row("subnormal_a_and_b", [(two(-136), two(-136))])
    row("subnormal_result", [(two(-70), two(-65) * Fraction(5, 4))])
    row("subnormal_difference", [(two(-60), two(-66)), (-two(-60), Fraction(1023, 1024) * two(-66))])
    for n in range(149, 161):
        row(f"eight_times_2^-{n}", [(two(-75), two(75 - n))] * 8)
    # 2^-149 as a sum whose last addend lies at, or just below, the unit that the exponent floor leaves.
    for n in range(153, 160):
        parts, rest = [(two(-80), two(80 - n))], two(n - 149) - 1
        if rest < 2048:
            row(f"floor_2^-{n}", [(rest * two(-80), two(80 - n))] + parts)
            row(f"floor_minus_2^-{n}", [(-rest * two(-80), two(80 - n))] + [(-x, y) for x, y in parts])
    row("all_minus_zero", [(Bits(MINUS_ZERO), 1)] * 8, Bits(MINUS_ZERO))
    row("minus_zero_c_alone", [], Bits(MINUS_ZERO))
    row("cancels_to_plus_zero", [(1, -1)], 1)
    row("cancels_negative_first", [(-1, 1), (1, 1)])


# ---- random operands ----------------------------------------------------------------------------------------------

class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def scaled(self, low, high):
        """Any significand, any exponent in [low, high], either sign."""
        return (self.random.getrandbits(1) << 31 | (self.random.randint(low, high) + 127) << 23
                | self.random.getrandbits(23))

    def ordinary(self):
        """Mostly around one, some much smaller."""
        return self.scaled(-1 - min(self.random.getrandbits(8).bit_length() ^ 7, 9), 1)

    def relu(self):
        return 0 if self.random.getrandbits(1) else self.ordinary() & 0x7FFFFFFF

    def any(self):
        bits = self.random.getrandbits(32)
        return NAN if is_nan(bits) else bits


def random_rows():
    draw = Draw(20240229)

    def scaled(low, high):
        return lambda: draw.scaled(low, high)
    kinds = {
        "random_ordinary": (draw.ordinary, draw.ordinary, draw.ordinary),
        "random_relu": (draw.relu, scaled(-8, -3), draw.ordinary),
        "random_wide": (scaled(-30, 30), scaled(-30, 30), scaled(-60, 60)),
        "random_close": (scaled(-3, 0), scaled(-3, 0), scaled(-28, 4)),
        "random_underflow": (scaled(-80, -60), scaled(-80, -64), lambda: draw.random.getrandbits(24)),
        "random_overflow": (scaled(55, 66), scaled(55, 62), scaled(110, 127)),
        "random_bits": (draw.any, draw.any, draw.any),
    }
    for tag, (a, b, c) in kinds.items():
        for _ in range(60):
            ROWS.append((tag, c(), [a() for _ in range(8)], [b() for _ in range(8)]))
    for _ in range(60):
        a, b = [draw.ordinary() for _ in range(4)], [draw.ordinary() for _ in range(4)]
        a, b = a + [x ^ MINUS_ZERO ^ draw.random.getrandbits(14) for x in a], b + b
        order = draw.random.sample(range(8), 8)
        ROWS.append(("random_cancelling", draw.scaled(-30, -20), [a[i] for i in order], [b[i] for i in order]))


# ---- files --------------------------------------------------------------------------------------------------------

def text(bits):
    return f"{bits:08x}"


def write(name, comments, header, rows):
    path = pathlib.Path(__file__).with_name(name)
    with path.open("w", newline="\n") as file:
        file.writelines(f"# {comment}\n" for comment in comments)
        file.writelines(",".join(cells) + "\n" for cells in [header] + rows)
    print(path.name, len(rows), "rows")


def write_steps():
    alignment_probes()
    special_probes()
    range_probes()
    random_rows()
    write("mma_k8.csv",
          ["One element of a TF32 matrix instruction: eight products and an accumulator, float32 bits in hex.",
           "k4f24: two steps of four products, 24 fraction bits. k8f25: one step of eight, 25 fraction bits.",
           "Computed with exact fractions by generate.py."],
          ["id", "tag", "c"] + [f"a{k}" for k in range(8)] + [f"b{k}" for k in range(8)] + list(CORES),
          [[str(i), tag] + [text(x) for x in [c, *a, *b]] + [text(dot(core, a, b, c)) for core in CORES.values()]
           for i, (tag, c, a, b) in enumerate(ROWS)])


def write_dots():
    draw = Draw(8128)
    kinds = [("ordinary", draw.ordinary, draw.ordinary),
             ("relu", draw.relu, lambda: draw.scaled(-8, -3)),
             ("wide", lambda: draw.scaled(-30, 30), lambda: draw.scaled(-30, 30)),
             ("same_sign", lambda: draw.scaled(0, 0) & 0x7FFFFFFF, lambda: draw.scaled(0, 0) & 0x7FFFFFFF)]
    rows = []
    for i in range(40):
        kind, draw_a, draw_b = kinds[i % len(kinds)]
        a, b = [draw_a() for _ in range(64)], [draw_b() for _ in range(64)]
        results = [dot(core, [tf32(x, rounding) for x in a], [tf32(x, rounding) for x in b])
                   for rounding in ("rna", "truncate", "rn") for core in CORES.values()]
        rows.append([kind, " ".join(map(text, a)), " ".join(map(text, b))] + [text(x) for x in results])
    write("dot_k64.csv", ["64 float32 products rounded to TF32, c = 0. Computed with exact fractions by generate.py."],
          ["kind", "a", "b"] + [f"{core}_{r}" for r in ("rna", "truncate", "rn") for core in CORES], rows)


def write_conversions():
    draw = Draw(496)
    magnitudes = [0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF, 0x2000, 0x2FFF, 0x3000, 0x3001, 0x7FEFFF, 0x7FF000, 0x7FF001,
                  0x7FFFFF, 0x800000, 0x800FFF, 0x801000, 0x801001, 0x3F800000, 0x3F800FFF, 0x3F801000, 0x3F801001,
                  0x3F802FFF, 0x3F803000, 0x3F803001, 0x3FFFEFFF, 0x3FFFF000, 0x3FFFFFFF, 0x7F7FDFFF, 0x7F7FE000,
                  0x7F7FEFFF, 0x7F7FF000, 0x7F7FF001, 0x7F7FFFFF, INF, NAN, 0x7FC00000, 0x7F801FFF]
    numbers = [sign << 31 | x for sign in (0, 1) for x in magnitudes]
    numbers += [draw.random.getrandbits(32) for _ in range(100)]
    numbers += [draw.random.getrandbits(19) << 13 | 0x1000 for _ in range(60)]
    roundings = ["rna", "truncate", "rn"]
    write("tf32.csv", ["float32 to TF32; infinity and NaN lose their low bits. Computed with exact fractions by generate.py."],
          ["x"] + roundings, [[text(x)] + [text(tf32(x, r)) for r in roundings] for x in numbers])


if __name__ == "__main__":
    write_steps()
    write_dots()
    write_conversions()
