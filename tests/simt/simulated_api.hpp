#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/api.hpp"
#include "model/rounding.hpp"
#include "tests/simt/grid.hpp"

namespace parity::simt {

/// What the simulated GPU's library of products does. It adds from the last term to the first, each product
/// rounded: an order of its own.
struct LibrarySettings {
  bool present = true;
  Rounding rounding = Rounding::rna;  ///< of operands under Gemm::Math::tf32
  bool always_tf32 = false;           ///< as NVIDIA_TF32_OVERRIDE=1 has it
  /// With so much workspace or more it adds the second half of the terms apart; 0: never.
  std::size_t splits_from_bytes = 0;
};

/// A GPU that is not there: the table of functions over host memory and fibers. Work given to a stream
/// runs when somebody waits for it and not before, so that a missing wait is seen, each stream by itself up
/// to the events that it waits for; fresh memory is NaN
/// and guarded on both sides; an error of a kernel comes with the wait and then with every call, as on a
/// device.
class SimulatedApi final : public cuda::Api {
 public:
  /// `capability` is major * 10 + minor: 90 for sm_90.
  explicit SimulatedApi(int capability = 90, std::size_t memory_bytes = std::size_t{1} << 30);
  ~SimulatedApi() override;

  /// May be changed between launches.
  Settings settings;
  LibrarySettings library;

  /// The n-th call from now (1: the next one) fails with `status` and does nothing else.
  void fail_call(std::int64_t n, cuda::Status status);
  std::int64_t calls() const { return calls_; }
  /// Buffers, streams, events and libraries that nobody has given back.
  std::size_t live() const {
    return buffers_.size() + streams_.size() + events_.size() + libraries_.size();
  }
  std::size_t open_libraries() const { return libraries_.size(); }
  std::size_t peak_bytes() const { return peak_bytes_; }
  /// What a library takes of the device's memory while it is open, asking nobody.
  static constexpr std::size_t library_bytes = 3 << 20;
  /// Every barrier that a kernel has met.
  const std::vector<Site>& barriers() const { return barriers_; }
  /// Names of the kernels that have run.
  const std::set<std::string>& kernels() const { return kernels_; }
  /// Every product that the library was given, with the stream.
  const std::vector<std::pair<cuda::Gemm, cuda::Stream>>& products() const { return products_; }
  /// Streams that kernels were launched on.
  const std::set<cuda::Stream>& streams_used() const { return streams_used_; }

  cuda::Status device_count(int* count) override;
  cuda::Status use_device(int device) override;
  cuda::Status properties(int device, cuda::DeviceProperties* properties) override;
  cuda::Status versions(int* driver, int* runtime) override;
  cuda::Status memory(std::size_t* free_bytes, std::size_t* total_bytes) override;
  cuda::Status allocate(void** pointer, std::size_t bytes) override;
  cuda::Status release(void* pointer) override;
  cuda::Status copy_in(void* to, const void* from, std::size_t bytes, cuda::Stream s) override;
  cuda::Status copy_out(void* to, const void* from, std::size_t bytes, cuda::Stream s) override;
  cuda::Status copy_within(void* to, const void* from, std::size_t bytes, cuda::Stream s) override;
  cuda::Status fill(void* to, int byte, std::size_t bytes, cuda::Stream stream) override;
  cuda::Status create_stream(cuda::Stream* stream) override;
  cuda::Status destroy_stream(cuda::Stream stream) override;
  cuda::Status synchronise(cuda::Stream stream) override;
  cuda::Status create_event(cuda::Event* event) override;
  cuda::Status destroy_event(cuda::Event event) override;
  cuda::Status record(cuda::Event event, cuda::Stream stream) override;
  cuda::Status wait(cuda::Stream stream, cuda::Event event) override;
  cuda::Status elapsed(float* milliseconds, cuda::Event start, cuda::Event stop) override;
  cuda::Status launch(const cuda::Kernel& kernel, cuda::Extent grid, cuda::Extent block,
                      std::size_t shared_bytes, const void* argument, cuda::Stream stream) override;
  cuda::Status open_library(cuda::Library* library) override;
  cuda::Status close_library(cuda::Library library) override;
  cuda::Status library_version(cuda::Library library, int* version) override;
  cuda::Status gemm(cuda::Library library, const cuda::Gemm& product, cuda::Stream stream) override;
  void clear_error() override {}
  const char* describe(cuda::Status status) override;

 private:
  struct Buffer {
    std::size_t bytes;
    std::unique_ptr<unsigned char[]> memory;  ///< guard, data, guard
  };
  /// The status with which this call must return before doing anything; success to go on.
  cuda::Status begin();
  /// Queues work of a call that names device memory.
  cuda::Status defer(cuda::Stream stream, std::function<void()> work);
  /// Runs what was given to a stream until `until` pieces of it are done, and what that waits for.
  void run_stream(cuda::Stream stream, std::int64_t until);
  void run_deferred();
  void multiply(const cuda::Gemm& product);
  void break_down(const std::string& why);
  void check_guards(const void* pointer, const Buffer& buffer);
  void require_device(const void* pointer, std::size_t bytes, const char* role);
  void* handle();

  int capability_;
  std::size_t memory_bytes_, live_bytes_ = 0, peak_bytes_ = 0;
  std::int64_t calls_ = 0, fail_at_ = 0;
  cuda::Status fail_with_ = 0;
  cuda::Status broken_ = cuda::success;
  std::string why_, text_;
  std::map<const void*, Buffer> buffers_;
  std::set<void*> streams_, events_, libraries_;
  struct Queued {
    std::deque<std::function<void()>> work;
    std::int64_t given = 0, done = 0;  ///< pieces of work
  };
  std::map<cuda::Stream, Queued> deferred_;
  /// The last place where an event was recorded: a stream, and how much had been given to it.
  std::map<cuda::Event, std::pair<cuda::Stream, std::int64_t>> recorded_;
  std::vector<std::pair<cuda::Gemm, cuda::Stream>> products_;
  std::set<cuda::Stream> streams_used_;
  std::vector<Site> barriers_;
  std::set<std::string> kernels_;
  std::uintptr_t next_handle_ = 1;
  Stacks stacks_;
};

}  // namespace parity::simt
