#pragma once

#include <cstdint>
#include <string>

#include "model/arithmetic/epilogue_kind.hpp"

namespace parity {

/// An elementary function with attributes, and the sums that lock its sequence: bits(f(x_i)) * (2i + 1) mod
/// 2^64, every NaN read as the canonical one, x_i having the bits i, over all i below 2^32, and over every 4093rd from 1021 on.
struct LockedFunction {
  const char* name;
  EpilogueKind kind;
  float a, b;
  std::uint64_t all, sampled;
};
inline constexpr std::uint64_t sample_first = 1021, sample_step = 4093;

inline constexpr LockedFunction locked_functions[] = {
    {"exp", EpilogueKind::exp, 0, 0, 0x73bf2bbb477cbafaU, 0xb670f3a3f9fb5e66U},
    {"sigmoid", EpilogueKind::sigmoid, 0, 0, 0xb4f304d7464a295bU, 0x4bf6dc41e8803febU},
    {"swish", EpilogueKind::swish, 1, 0, 0x00aa55af0054c3c2U, 0xe7b0193ef48b3422U},
    {"tanh", EpilogueKind::tanh, 0, 0, 0xa8fbbdf1ae13cf12U, 0xbc2795dea1959923U},
    {"erf", EpilogueKind::erf, 0, 0, 0x80af732597e6a2eaU, 0x8fbcb1e216e3cc9bU},
    {"gelu", EpilogueKind::gelu, 0, 0, 0xa7b4d20c78450bc7U, 0xf693b139be87d056U},
    {"gelu_tanh", EpilogueKind::gelu_tanh, 0, 0, 0x31113805a7cf7036U, 0x953379c2c700932bU},
    {"log", EpilogueKind::log, 0, 0, 0x2ea226bd2f1085d3U, 0xf6a0385bbb0ff845U},
    {"softplus", EpilogueKind::softplus, 0, 0, 0x572eb3e992330480U, 0x63343c61882ad866U},
    {"mish", EpilogueKind::mish, 0, 0, 0xc19d03fdc465d6b1U, 0x14648075c662ea95U},
    {"elu", EpilogueKind::elu, 1, 0, 0xd644dfad6be63cc0U, 0x348ef68075e3590fU},
    {"selu", EpilogueKind::selu, 1.67326319217681884765625F, 1.05070102214813232421875F,
     0x54bdcfe809f2128aU, 0xd127b2fb5d0f8addU},
    {"celu", EpilogueKind::celu, 2, 0, 0xb1cd85bdcda63cc0U, 0xd63b36b4079645d2U},
    {"sin", EpilogueKind::sin, 0, 0, 0x28951c0906b7ff66U, 0x823f27ee8d139bc8U},
    {"cos", EpilogueKind::cos, 0, 0, 0xbb4603d13e03d3a2U, 0xf4ecf33451eed7d8U},
    {"pow_2_2", EpilogueKind::pow, 2.2F, 0, 0x5d33f75a8c943690U, 0x9def721079972603U},
    {"pow_3", EpilogueKind::pow, 3, 0, 0xc36284574aafe1aaU, 0x9994c345a173f3fbU},
    {"hard_swish", EpilogueKind::hard_swish, 1.0F / 6, 0.5F, 0x8d45d1a31d3bb93aU,
     0x3661ae79b0ef1dfaU},
    {"hard_sigmoid", EpilogueKind::hard_sigmoid, 0.2F, 0.5F, 0xb84170c1a2f5999dU,
     0x26ac8e3e37bbdd59U},
    {"softsign", EpilogueKind::softsign, 0, 0, 0x7c64531b1533f760U, 0xb136a744850779acU},
    {"leaky_relu", EpilogueKind::leaky_relu, 0.01F, 0, 0x3210bd54a14cef29U, 0x2f9fa6565b7e14b7U},
    {"round", EpilogueKind::round, 0, 0, 0xa1069c74a7800002U, 0x8533674f764fd24eU},
    {"floor", EpilogueKind::floor, 0, 0, 0x8373c71f91800002U, 0xafbbdefaaaa6d238U},
    {"ceil", EpilogueKind::ceil, 0, 0, 0xcf73c71f91800002U, 0x95c4cefad2de87ccU},
};

}  // namespace parity
