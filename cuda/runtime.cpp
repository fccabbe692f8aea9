#include "cuda/runtime.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <string>

#include "cuda/cublas.hpp"

namespace parity::cuda {
namespace {

/// Without this much dynamic shared memory a kernel needs no leave.
constexpr std::size_t shared_without_leave = 48 * 1024;

class Runtime final : public Api {
 public:
  Status device_count(int* count) override { return cudaGetDeviceCount(count); }
  Status use_device(int device) override { return cudaSetDevice(device); }

  Status properties(int device, DeviceProperties* p) override {
    cudaDeviceProp all{};
    if (const Status status = cudaGetDeviceProperties(&all, device); status != success)
      return status;
    *p = {};
    std::snprintf(p->name, sizeof p->name, "%s", all.name);
    p->major = all.major;
    p->minor = all.minor;
    p->multiprocessors = all.multiProcessorCount;
    p->memory_bytes = all.totalGlobalMem;
    p->shared_bytes_per_block = all.sharedMemPerBlockOptin;
    p->l2_bytes = static_cast<std::size_t>(all.l2CacheSize);
    p->memory_bus_bits = all.memoryBusWidth;
    // Fields of the struct until 12, attributes ever since.
    if (const Status status =
            cudaDeviceGetAttribute(&p->clock_kilohertz, cudaDevAttrClockRate, device);
        status != success)
      return status;
    return cudaDeviceGetAttribute(&p->memory_clock_kilohertz, cudaDevAttrMemoryClockRate, device);
  }

  Status versions(int* driver, int* runtime) override {
    if (const Status status = cudaDriverGetVersion(driver); status != success) return status;
    return cudaRuntimeGetVersion(runtime);
  }
  Status memory(std::size_t* free_bytes, std::size_t* total_bytes) override {
    return cudaMemGetInfo(free_bytes, total_bytes);
  }

  Status allocate(void** pointer, std::size_t bytes) override { return cudaMalloc(pointer, bytes); }
  Status release(void* pointer) override { return cudaFree(pointer); }
  Status copy_in(void* to, const void* from, std::size_t bytes, Stream s) override {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream(s));
  }
  Status copy_out(void* to, const void* from, std::size_t bytes, Stream s) override {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream(s));
  }
  Status copy_within(void* to, const void* from, std::size_t bytes, Stream s) override {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream(s));
  }
  Status fill(void* to, int byte, std::size_t bytes, Stream s) override {
    return cudaMemsetAsync(to, byte, bytes, stream(s));
  }

  Status create_stream(Stream* s) override {
    cudaStream_t made = nullptr;
    const Status status = cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
    *s = made;
    return status;
  }
  Status destroy_stream(Stream s) override { return cudaStreamDestroy(stream(s)); }
  Status synchronise(Stream s) override { return cudaStreamSynchronize(stream(s)); }
  Status create_event(Event* e) override {
    cudaEvent_t made = nullptr;
    const Status status = cudaEventCreate(&made);
    *e = made;
    return status;
  }
  Status destroy_event(Event e) override { return cudaEventDestroy(event(e)); }
  Status record(Event e, Stream s) override { return cudaEventRecord(event(e), stream(s)); }
  Status wait(Stream s, Event e) override { return cudaStreamWaitEvent(stream(s), event(e), 0); }
  Status elapsed(float* milliseconds, Event start, Event stop) override {
    return cudaEventElapsedTime(milliseconds, event(start), event(stop));
  }

  Status launch(const Kernel& kernel, Extent grid, Extent block, std::size_t shared_bytes,
                const void* argument, Stream s) override {
    if (shared_bytes > shared_without_leave) {
      const Status status =
          cudaFuncSetAttribute(kernel.entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes));
      if (status != success) return status;
    }
    void* arguments[] = {const_cast<void*>(argument)};
    return cudaLaunchKernel(kernel.entry, dim3(grid.x, grid.y, grid.z),
                            dim3(block.x, block.y, block.z), arguments, shared_bytes, stream(s));
  }

  Status open_library(Library* library) override { return cublas_->open(library); }
  Status close_library(Library library) override { return cublas_->close(library); }
  Status library_version(Library library, int* version) override {
    return cublas_->version(library, version);
  }
  Status gemm(Library library, const Gemm& product, Stream s) override {
    return cublas_->gemm(library, product, s);
  }

  void clear_error() override { cudaGetLastError(); }
  const char* describe(Status status) override {
    if (status >= library_absent) {
      text_ = cublas_->describe(status);
      return text_.c_str();
    }
    const auto error = static_cast<cudaError_t>(status);
    text_ = std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
    return text_.c_str();
  }

 private:
  static cudaStream_t stream(Stream s) { return static_cast<cudaStream_t>(s); }
  static cudaEvent_t event(Event e) { return static_cast<cudaEvent_t>(e); }
  std::unique_ptr<Cublas> cublas_ = make_cublas();
  std::string text_;
};

}  // namespace

std::shared_ptr<Api> cuda_runtime() { return std::make_shared<Runtime>(); }

}  // namespace parity::cuda
