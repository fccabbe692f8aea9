#include "tests/simt/simulated_api.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/tf32.hpp"

namespace parity::simt {
namespace {

using cuda::Extent;
using cuda::Status;
using cuda::Stream;
using cuda::success;

// As cudaError_t numbers them.
constexpr Status invalid_value = 1, invalid_device = 101, invalid_handle = 400,
                 launch_failure = 719;

constexpr std::size_t guard_bytes = 256;
constexpr unsigned char guard = 0xa5, poison = 0xff;

const TensorCore* core_of(int capability) {
  if (capability < 80) return nullptr;
  return capability < 90 ? &k4f24 : &k8f25;
}

}  // namespace

SimulatedApi::SimulatedApi(int capability, std::size_t memory_bytes)
    : capability_(capability), memory_bytes_(memory_bytes) {
  settings.core = core_of(capability);
}

SimulatedApi::~SimulatedApi() = default;

void SimulatedApi::fail_call(std::int64_t n, Status status) {
  fail_at_ = calls_ + n;
  fail_with_ = status;
}

Status SimulatedApi::begin() {
  if (++calls_ == fail_at_) return fail_with_;
  return broken_;
}

void SimulatedApi::break_down(const std::string& why) {
  if (broken_ != success) return;
  broken_ = launch_failure;
  why_ = why;
  for (auto& [stream, queue] : deferred_) queue.work.clear();
}

Status SimulatedApi::defer(Stream stream, std::function<void()> work) {
  Queued& queue = deferred_[stream];
  queue.work.push_back(std::move(work));
  ++queue.given;
  return success;
}

void SimulatedApi::run_stream(Stream stream, std::int64_t until) {
  Queued& queue = deferred_[stream];
  while (!queue.work.empty() && queue.done < until) {
    const std::function<void()> work = std::move(queue.work.front());
    queue.work.pop_front();
    ++queue.done;
    work();
  }
}

void SimulatedApi::run_deferred() {
  for (auto& [stream, queue] : deferred_) run_stream(stream, queue.given);
}

void* SimulatedApi::handle() { return reinterpret_cast<void*>(next_handle_++); }

void SimulatedApi::require_device(const void* pointer, std::size_t bytes, const char* role) {
  auto after = buffers_.upper_bound(pointer);
  if (after != buffers_.begin()) {
    const auto& [start, buffer] = *std::prev(after);
    const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(pointer) -
                                                 static_cast<const unsigned char*>(start));
    if (offset + bytes <= buffer.bytes) return;
  }
  break_down(std::string(role) + " of " + std::to_string(bytes) +
             " bytes does not lie inside one device buffer");
}

void SimulatedApi::check_guards(const void* pointer, const Buffer& buffer) {
  const unsigned char* const first = buffer.memory.get();
  const auto* const data = static_cast<const unsigned char*>(pointer);
  const auto intact = [](unsigned char byte) { return byte == guard; };
  if (!std::all_of(first, data, intact) ||
      !std::all_of(data + buffer.bytes, first + buffer.bytes + 3 * guard_bytes, intact))
    break_down("something was written beside a device buffer of " + std::to_string(buffer.bytes) +
               " bytes");
}

Status SimulatedApi::device_count(int* count) {
  if (const Status status = begin(); status != success) return status;
  *count = 1;
  return success;
}

Status SimulatedApi::use_device(int device) {
  if (const Status status = begin(); status != success) return status;
  return device == 0 ? success : invalid_device;
}

Status SimulatedApi::properties(int device, cuda::DeviceProperties* properties) {
  if (const Status status = begin(); status != success) return status;
  if (device != 0) return invalid_device;
  *properties = {};
  std::strcpy(properties->name, "simulated GPU");
  properties->major = capability_ / 10;
  properties->minor = capability_ % 10;
  properties->multiprocessors = 2;
  properties->memory_bytes = memory_bytes_;
  properties->shared_bytes_per_block = settings.most_shared_bytes;
  return success;
}

Status SimulatedApi::versions(int* driver, int* runtime) {
  if (const Status status = begin(); status != success) return status;
  *driver = *runtime = 13000;
  return success;
}

Status SimulatedApi::memory(std::size_t* free_bytes, std::size_t* total_bytes) {
  if (const Status status = begin(); status != success) return status;
  *total_bytes = memory_bytes_;
  *free_bytes = memory_bytes_ - live_bytes_;
  return success;
}

Status SimulatedApi::allocate(void** pointer, std::size_t bytes) {
  if (const Status status = begin(); status != success) return status;
  if (bytes > memory_bytes_ - live_bytes_) return cuda::out_of_memory;
  // 256-byte aligned, as cudaMalloc promises.
  Buffer buffer{bytes, std::make_unique<unsigned char[]>(bytes + 3 * guard_bytes)};
  auto* data = buffer.memory.get() + guard_bytes;
  const std::size_t odd = reinterpret_cast<std::uintptr_t>(data) % guard_bytes;
  if (odd != 0) data += guard_bytes - odd;
  std::fill(buffer.memory.get(), buffer.memory.get() + bytes + 3 * guard_bytes, guard);
  std::fill_n(data, bytes, poison);
  live_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  *pointer = data;
  buffers_.emplace(data, std::move(buffer));
  return success;
}

Status SimulatedApi::release(void* pointer) {
  const Status status = begin();
  if (pointer == nullptr) return status;
  run_deferred();
  const auto found = buffers_.find(pointer);
  if (found == buffers_.end()) return invalid_value;
  check_guards(pointer, found->second);
  live_bytes_ -= found->second.bytes;
  buffers_.erase(found);
  return status != success ? status : broken_;
}

Status SimulatedApi::copy_in(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  return defer(stream, [this, to, from, bytes] {
    require_device(to, bytes, "the target of a copy");
    if (broken_ == success) std::memcpy(to, from, bytes);
  });
}

Status SimulatedApi::copy_out(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  return defer(stream, [this, to, from, bytes] {
    require_device(from, bytes, "the source of a copy");
    if (broken_ == success) std::memcpy(to, from, bytes);
  });
}

Status SimulatedApi::copy_within(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  return defer(stream, [this, to, from, bytes] {
    require_device(to, bytes, "the target of a copy");
    require_device(from, bytes, "the source of a copy");
    if (broken_ == success) std::memmove(to, from, bytes);
  });
}

Status SimulatedApi::fill(void* to, int byte, std::size_t bytes, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  return defer(stream, [this, to, byte, bytes] {
    require_device(to, bytes, "the target of a fill");
    if (broken_ == success) std::memset(to, byte, bytes);
  });
}

Status SimulatedApi::create_stream(Stream* stream) {
  if (const Status status = begin(); status != success) return status;
  *stream = *streams_.insert(handle()).first;
  return success;
}

Status SimulatedApi::destroy_stream(Stream stream) {
  const Status status = begin();
  return streams_.erase(stream) == 1 ? status : invalid_handle;
}

Status SimulatedApi::synchronise(Stream stream) {
  if (const Status status = begin(); status != success) return status;
  run_stream(stream, deferred_[stream].given);
  for (const auto& [pointer, buffer] : buffers_) check_guards(pointer, buffer);
  return broken_;
}

Status SimulatedApi::create_event(cuda::Event* event) {
  if (const Status status = begin(); status != success) return status;
  *event = *events_.insert(handle()).first;
  return success;
}

Status SimulatedApi::destroy_event(cuda::Event event) {
  const Status status = begin();
  return events_.erase(event) == 1 ? status : invalid_handle;
}

Status SimulatedApi::record(cuda::Event event, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  recorded_[event] = {stream, deferred_[stream].given};
  return success;
}

Status SimulatedApi::wait(Stream stream, cuda::Event event) {
  if (const Status status = begin(); status != success) return status;
  const auto [other, until] = recorded_[event];
  return defer(stream, [this, other = other, until = until] { run_stream(other, until); });
}

Status SimulatedApi::elapsed(float* milliseconds, cuda::Event, cuda::Event) {
  if (const Status status = begin(); status != success) return status;
  *milliseconds = 0;
  return success;
}

Status SimulatedApi::launch(const cuda::Kernel& kernel, Extent grid, Extent block,
                            std::size_t shared_bytes, const void* argument, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  // max_align_t words hold any argument.
  using Word = std::max_align_t;
  auto words = std::make_shared<std::vector<Word>>(kernel.argument_bytes / sizeof(Word) + 1);
  std::memcpy(words->data(), argument, kernel.argument_bytes);
  kernels_.insert(kernel.name);
  streams_used_.insert(stream);
  return defer(stream, [this, kernel, grid, block, shared_bytes, words] {
    const std::string problem =
        run_grid(kernel, grid, block, shared_bytes, words->data(), settings, stacks_, barriers_);
    if (!problem.empty()) break_down(problem);
  });
}

Status SimulatedApi::open_library(cuda::Library* library) {
  *library = nullptr;
  if (const Status status = begin(); status != success) return status;
  if (!this->library.present) return cuda::library_absent;
  *library = *libraries_.insert(handle()).first;
  live_bytes_ += library_bytes;
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  return success;
}

Status SimulatedApi::close_library(cuda::Library library) {
  const Status status = begin();
  if (libraries_.erase(library) == 0) return invalid_handle;
  live_bytes_ -= library_bytes;
  return status;
}

Status SimulatedApi::library_version(cuda::Library library, int* version) {
  if (const Status status = begin(); status != success) return status;
  if (libraries_.count(library) == 0) return invalid_handle;
  std::fill_n(version, 3, 1);
  return success;
}

Status SimulatedApi::gemm(cuda::Library library, const cuda::Gemm& product, Stream stream) {
  if (const Status status = begin(); status != success) return status;
  if (libraries_.count(library) == 0) return invalid_handle;
  if (product.rows < 1 || product.columns < 1 || product.depth < 1 ||
      product.x_row < product.depth || product.w_row < product.columns ||
      product.y_row < product.columns ||
      (product.workspace_bytes > 0) != (product.workspace != nullptr))
    return invalid_value;
  products_.emplace_back(product, stream);
  return defer(stream, [this, product] { multiply(product); });
}

void SimulatedApi::multiply(const cuda::Gemm& p) {
  const auto extent = [](std::int64_t rows, std::int64_t row, std::int64_t columns) {
    return static_cast<std::size_t>((rows - 1) * row + columns) * sizeof(float);
  };
  require_device(p.x, extent(p.rows, p.x_row, p.depth), "the left operand of a product");
  require_device(p.w, extent(p.depth, p.w_row, p.columns), "the right operand of a product");
  require_device(p.y, extent(p.rows, p.y_row, p.columns), "what a product makes");
  if (p.workspace_bytes > 0) {
    require_device(p.workspace, p.workspace_bytes, "the workspace of a product");
    // It is the library's: whatever lay there is gone.
    if (broken_ == success) std::memset(p.workspace, poison, p.workspace_bytes);
  }
  if (broken_ != success) return;
  const bool tf32 = p.math == cuda::Gemm::Math::tf32 || library.always_tf32;
  const auto operand = [&](float value) {
    return tf32 ? float_of(round_to_tf32(bits_of(value), library.rounding)) : value;
  };
  const bool splits =
      library.splits_from_bytes > 0 && p.workspace_bytes >= library.splits_from_bytes;
  const auto sum = [&](std::int64_t r, std::int64_t c, std::int64_t first, std::int64_t last) {
    float total = 0;
    for (std::int64_t k = last; k-- > first;) {
      // Separate statements: each is rounded.
      const float term = operand(p.x[r * p.x_row + k]) * operand(p.w[k * p.w_row + c]);
      total = total + term;
    }
    return total;
  };
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t c = 0; c < p.columns; ++c) {
      const std::int64_t middle = splits ? p.depth / 2 : 0;
      const float head = sum(r, c, 0, middle), tail = sum(r, c, middle, p.depth);
      p.y[r * p.y_row + c] = splits ? head + tail : tail;
    }
}

const char* SimulatedApi::describe(Status status) {
  if (status == cuda::out_of_memory) return "out of memory (cudaErrorMemoryAllocation)";
  if (status == cuda::library_absent) return "the simulated GPU has no library of products";
  text_ = broken_ != success && status == broken_
              ? "unspecified launch failure (cudaErrorLaunchFailure): " + why_
              : "simulated error " + std::to_string(status);
  return text_.c_str();
}

}  // namespace parity::simt
