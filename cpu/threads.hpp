#pragma once

#include <cstdint>
#include <functional>

namespace parity::cpu {

/// Calls f(first, last) over [0, count) on `threads` threads, static contiguous shares of whole
/// `grain`s. The split never decides a bit: no room adds across shares. Exceptions of a share are
/// rethrown in the caller.
void parallel_for(std::int64_t count, std::int64_t grain, int threads,
                  const std::function<void(std::int64_t first, std::int64_t last)>& f);

}  // namespace parity::cpu
