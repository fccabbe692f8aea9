#pragma once

#include <cstddef>
#include <cstdint>

namespace parity::cuda {

/// A grid's or a block's extents, and a position in one.
struct Extent {
  unsigned x = 1, y = 1, z = 1;
};

/// 0 is success; other values are those of cudaError_t.
using Status = int;
inline constexpr Status success = 0;
inline constexpr Status out_of_memory = 2;    ///< cudaErrorMemoryAllocation
inline constexpr Status not_supported = 801;  ///< cudaErrorNotSupported
/// The vendor's library of products cannot be loaded; its other statuses s are library_absent + s.
inline constexpr Status library_absent = 10000;

/// Handles of the runtime; null is none.
using Stream = void*;
using Event = void*;
/// A vendor's library of matrix products (cuBLAS), opened on a device.
using Library = void*;

/// A `__global__` function with one argument, a plain struct by value.
struct Kernel {
  const char* name = "";
  const void* entry = nullptr;
  std::size_t argument_bytes = 0;
  /// Calls `entry` as the ordinary function that it is where no CUDA compiler made it; null where
  /// one did.
  void (*call)(const void* entry, const void* argument) = nullptr;
};

/// y = x w by a vendor's library: row-major float32 matrices on the device. All that decides how it is
/// computed comes with the call; nothing stays behind for the next one.
struct Gemm {
  enum class Math {
    fp32,  ///< operands as they are
    tf32   ///< operands rounded to TF32, in the library's way
  };
  std::int64_t rows = 0, columns = 0, depth = 0;  ///< at least 1 each
  const float* x = nullptr;                       ///< [rows][depth]
  std::int64_t x_row = 0;                         ///< elements from one row to the next
  const float* w = nullptr;                       ///< [depth][columns]
  std::int64_t w_row = 0;
  float* y = nullptr;  ///< [rows][columns]
  std::int64_t y_row = 0;
  Math math = Math::fp32;
  void* workspace = nullptr;  ///< on the device, the library's until the product is done
  std::size_t workspace_bytes = 0;
};

/// What a device says of itself.
struct DeviceProperties {
  char name[256] = "";
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;
  std::size_t shared_bytes_per_block = 0;  ///< at most, by opting in
  std::size_t l2_bytes = 0;
  int clock_kilohertz = 0;
  int memory_clock_kilohertz = 0;
  int memory_bus_bits = 0;
};

/// The table of functions through which everything that a GPU does is asked for: the CUDA runtime
/// (cuda/runtime.cpp), or in the tests a simulated one that can make any call fail. Every function
/// but describe() returns a Status; streams are in order, and work on them is asynchronous: a host
/// buffer of a copy may be touched again only after synchronise().
class Api {
 public:
  virtual ~Api() = default;

  virtual Status device_count(int* count) = 0;
  virtual Status use_device(int device) = 0;
  virtual Status properties(int device, DeviceProperties* properties) = 0;
  /// 12040 is 12.4. Driver: the newest runtime it can serve, 0 without one.
  virtual Status versions(int* driver, int* runtime) = 0;
  virtual Status memory(std::size_t* free_bytes, std::size_t* total_bytes) = 0;

  virtual Status allocate(void** pointer, std::size_t bytes) = 0;
  virtual Status release(void* pointer) = 0;
  virtual Status copy_in(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
  virtual Status copy_out(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
  virtual Status copy_within(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
  virtual Status fill(void* to, int byte, std::size_t bytes, Stream stream) = 0;

  virtual Status create_stream(Stream* stream) = 0;
  virtual Status destroy_stream(Stream stream) = 0;
  /// Waits for the stream and reports the first asynchronous error of what ran.
  virtual Status synchronise(Stream stream) = 0;
  virtual Status create_event(Event* event) = 0;
  virtual Status destroy_event(Event event) = 0;
  virtual Status record(Event event, Stream stream) = 0;
  /// Work given to `stream` from now on waits for the event.
  virtual Status wait(Stream stream, Event event) = 0;
  virtual Status elapsed(float* milliseconds, Event start, Event stop) = 0;

  /// `argument` is read before the call returns.
  virtual Status launch(const Kernel& kernel, Extent grid, Extent block, std::size_t shared_bytes,
                        const void* argument, Stream stream) = 0;

  /// Loads the library where that has not been done, and opens it on the device in use: library_absent
  /// where there is none.
  virtual Status open_library(Library* library) = 0;
  virtual Status close_library(Library library) = 0;
  /// Major, minor, patch.
  virtual Status library_version(Library library, int* version) = 0;
  /// Asynchronous like launch().
  virtual Status gemm(Library library, const Gemm& product, Stream stream) = 0;

  /// Clears the error that the last failed call left behind.
  virtual void clear_error() = 0;
  /// "out of memory (cudaErrorMemoryAllocation)"; valid until the next call.
  virtual const char* describe(Status status) = 0;
};

/// Where a room's kernels are launched.
struct Queue {
  Api* api = nullptr;
  Stream stream = nullptr;
};

}  // namespace parity::cuda
