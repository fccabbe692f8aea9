#include <gtest/gtest.h>

#include "tests/model/locked_functions.hpp"
#include "tests/simt/any_gpu.hpp"
#include "tests/simt/probes.hpp"

// What only a real GPU does in reasonable time: all 2^32 inputs.

namespace parity {
namespace {

std::uint64_t checksum(cuda::Session& session, const LockedFunction& f) {
  const std::shared_ptr<void> sum = session.take(sizeof(std::uint64_t));
  const cuda::Queue queue = session.queue();
  std::uint64_t result = 0;
  session.check(queue.api->fill(sum.get(), 0, sizeof result, queue.stream), "clearing a sum");
  session.check(simt::launch_checksum(
                    queue, {f.kind, f.a, f.b, 0, 1, static_cast<std::uint64_t*>(sum.get())}),
                "launching a checksum");
  session.check(queue.api->copy_out(&result, sum.get(), sizeof result, queue.stream),
                "reading a sum");
  session.wait("sweeping a function");
  return result;
}

TEST(GpuSweep, ElementaryFunctionsHaveTheirChecksumsOverAllInputs) {
  if (const std::string why = test::why_no_gpu(); !why.empty()) GTEST_SKIP() << why;
  test::AnyGpu gpu = test::any_gpu();
  for (const LockedFunction& f : locked_functions)
    EXPECT_EQ(checksum(gpu.session(), f), f.all) << f.name;
}

}  // namespace
}  // namespace parity
