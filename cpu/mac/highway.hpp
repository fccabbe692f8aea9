#pragma once

// Includes Highway with the targets that have a native fused multiply-add: AVX-512, AVX2 with FMA,
// NEON. Include it before foreach_target.h. On the target Highway insists on beside them (its
// scalar one), HWY_NATIVE_FMA is 0 and the kernels compile to nothing there: Highway's MulAdd would
// multiply and add with two roundings. The scalar width is plain std::fma.
#include <hwy/detect_targets.h>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
