#include "cuda/ops.hpp"

#include <algorithm>
#include <cmath>

#include "cuda/elementwise.hpp"

namespace parity::cuda {

const float* PackCache::find(const Makers& of, const std::string& packing) const {
  for (const Entry& entry : entries_)
    if (entry.packing == packing && entry.of == of)
      return static_cast<const float*>(entry.memory.get());
  return nullptr;
}

const float* PackCache::get(const Makers& of, const std::string& packing, Session& session,
                            const std::function<std::vector<float>()>& make) {
  if (const float* const known = find(of, packing)) return known;
  const std::vector<float> values = make();
  return get(of, packing, session, values.size(), [&](float* to) {
    session.check(session.api().copy_in(to, values.data(), values.size() * sizeof(float),
                                        session.queue().stream),
                  "uploading parameters");
    session.wait("uploading parameters");  // `values` ends here
  });
}

const float* PackCache::get(const Makers& of, const std::string& packing, Session& session,
                            std::size_t count, const std::function<void(float*)>& write) {
  if (const float* const known = find(of, packing)) return known;
  Entry entry{of, packing, session.take(count * sizeof(float))};
  auto* const data = static_cast<float*>(entry.memory.get());
  write(data);
  entries_.push_back(std::move(entry));
  return data;
}

std::shared_ptr<const void> PackCache::memory_of(const float* data) const {
  for (const Entry& entry : entries_)
    if (entry.memory.get() == data) return entry.memory;
  throw Error(Fault::internal, "a packed parameter was asked for that is not kept");
}

void PackCache::forget(const std::shared_ptr<const void>& maker) {
  std::erase_if(entries_, [&](const Entry& entry) {
    return std::find(entry.of.begin(), entry.of.end(), maker) != entry.of.end();
  });
}

const float* parameter_data(const std::shared_ptr<const Tensor>& parameter, const Job& job) {
  return parameter_data(parameter, job, job.reading);
}

const float* parameter_data(const std::shared_ptr<const Tensor>& parameter, const Job& job,
                            Reading reading) {
  const bool absolute = reading == Reading::magnitudes;
  return job.packs.get({parameter}, absolute ? "absolute" : "as given", job.session, [&] {
    const auto values = parameter->values<float>();
    std::vector<float> read(values.begin(), values.end());
    if (absolute)
      for (float& value : read) value = std::abs(value);
    return read;
  });
}

Value parameter_value(const std::shared_ptr<const Tensor>& parameter, const Job& job,
                      Reading reading) {
  const float* data = nullptr;
  if (parameter->type().type == Type::float32) {
    data = parameter_data(parameter, job, reading);
  } else {
    // The cache counts in floats; an array of bytes is rounded up to them.
    const std::size_t bytes = parameter->size_bytes();
    data = job.packs.get(
        {parameter}, "bytes", job.session, (bytes + sizeof(float) - 1) / sizeof(float),
        [&](float* to) {
          job.check(job.session.api().copy_in(to, parameter->data(), bytes, job.queue().stream),
                    "uploading parameters");
          job.session.wait("uploading parameters");
        });
  }
  return {parameter->type(), std::make_shared<const CudaStorage>(job.packs.memory_of(data),
                                                                 &job.session, Layout::row_major)};
}

const std::int64_t* numbers_on_device(const PackCache::Makers& of, const std::string& packing,
                                      std::span<const std::int64_t> numbers, const Job& job) {
  static_assert(sizeof(std::int64_t) == 2 * sizeof(float), "the cache counts floats");
  const float* const data =
      job.packs.get(of, packing, job.session, 2 * numbers.size(), [&](float* to) {
        job.check(
            job.session.api().copy_in(to, numbers.data(), numbers.size_bytes(), job.queue().stream),
            "uploading a table");
        job.session.wait("uploading a table");  // `numbers` may end behind this
      });
  return reinterpret_cast<const std::int64_t*>(data);
}

PackCache::Makers makers(const std::shared_ptr<const Op>& op,
                         std::span<const std::shared_ptr<const Tensor>> parameters) {
  PackCache::Makers all{op};
  all.insert(all.end(), parameters.begin(), parameters.end());
  return all;
}

EpilogueStep on_device(const parity::EpilogueStep<float>& step, const PackCache::Makers& of,
                       Reading reading, PackCache& packs, Session& session) {
  EpilogueStep result;
  result.kind = step.kind;
  const std::string text =
      reading == Reading::magnitudes ? "epilogue, magnitudes" : "epilogue, values";
  const auto uploaded = [&](const std::vector<float>& values, const char* which) -> const float* {
    if (values.empty()) return nullptr;
    return packs.get(of, text + which, session, [&] { return values; });
  };
  result.stride = step.a.size() > 1 ? 1 : 0;
  result.a = uploaded(step.a, ", a");
  result.b = uploaded(step.b, ", b");
  return result;
}

Value run_elementwise(const Epilogue& epilogue, const Job& job) {
  const Layout layout = layout_of(job.inputs[0]);
  const Elements<float> x = elements<float>(job.inputs[0], layout, job.session);
  Fresh fresh = job.fresh(layout);
  const Shape& shape = job.output.shape;
  // Channels-last, and for rank 2, channel c is every C-th element; otherwise a plane of its own.
  const bool inner = layout == Layout::channels_last || shape.size() < 2;
  job.check(launch_elementwise(job.queue(), {x.data, fresh.data<float>(), element_count(shape),
                                             inner ? 1 : element_count(shape, 2, shape.size()),
                                             shape.size() < 2 ? 1 : shape[1], epilogue}),
            "launching an elementwise step");
  return std::move(fresh).value();
}

}  // namespace parity::cuda
