#include "cpu/elementwise.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/threads.hpp"

namespace parity::cpu {
namespace {

/// Elements handled at a time: enough to amortise the call, few enough to stay in the first cache.
constexpr std::int64_t run_length = 4096;

}  // namespace

template <class T>
Value run_epilogue(const Epilogue<T>& steps, const Job& job) {
  const Layout layout = layout_of(job.inputs[0]);
  const Elements<T> x = elements<T>(job.inputs[0], layout, job.execution);
  Fresh fresh(job.output, layout, &job.memory);
  T* const y = fresh.data<T>();
  const bool per_channel =
      std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step.a.size() > 1; });
  const Shape& shape = job.output.shape;
  const std::int64_t count = element_count(shape);
  const InstructionSet isa = job.execution.instruction_set;
  const auto apply_run = [&](const Epilogue<T>& run, std::int64_t first, std::int64_t length) {
    std::memcpy(y + first, x.data + first, static_cast<std::size_t>(length) * sizeof(T));
    apply(run, y + first, length, 0, isa);
  };
  if (!per_channel) {
    parallel_for(count, run_length, job.execution.threads,
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t i = first; i < last; i += run_length)
                     apply_run(steps, i, std::min(run_length, last - i));
                 });
  } else if (layout == Layout::channels_last || shape.size() == 2) {
    const std::int64_t C = shape[1];
    parallel_for(count / std::max<std::int64_t>(C, 1), 16, job.execution.threads,
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t pixel = first; pixel < last; ++pixel)
                     apply_run(steps, pixel * C, C);
                 });
  } else {
    // Row-major planes: every plane sees one channel's constants, so the steps become steps with
    // scalars.
    const std::int64_t C = shape[1], plane = element_count(shape, 2, shape.size());
    parallel_for(shape[0] * C, 1, job.execution.threads,
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t job_plane = first; job_plane < last; ++job_plane) {
                     const auto c = static_cast<std::size_t>(job_plane % C);
                     const auto scalar = [&](const std::vector<T>& values) {
                       return values.size() > 1 ? std::vector<T>{values[c]} : values;
                     };
                     Epilogue<T> here;
                     for (const EpilogueStep<T>& step : steps)
                       here.push_back({step.kind, scalar(step.a), scalar(step.b)});
                     apply_run(here, job_plane * plane, plane);
                   }
                 });
  }
  return std::move(fresh).value();
}

template Value run_epilogue<float>(const Epilogue<float>&, const Job&);
template Value run_epilogue<double>(const Epilogue<double>&, const Job&);

}  // namespace parity::cpu
