#include "cuda/cublas.hpp"

#include <cublas_v2.h>
#include <dlfcn.h>

#include <limits>

namespace parity::cuda {
namespace {

/// A setting that was made for a call and is not what the library says it has.
constexpr Status setting_lost = library_absent + 1000;

Status status_of(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? success : library_absent + static_cast<Status>(status);
}

/// The header overloads it for older programs; this is the one that the library has.
using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int,
                                  int, const void*, const void*, cudaDataType, int, const void*,
                                  cudaDataType, int, const void*, void*, cudaDataType, int,
                                  cublasComputeType_t, cublasGemmAlgo_t);

/// The functions of the library that are called, by the types of its header.
struct Functions {
  decltype(&cublasCreate_v2) create = nullptr;
  decltype(&cublasDestroy_v2) destroy = nullptr;
  decltype(&cublasGetProperty) property = nullptr;
  decltype(&cublasSetStream_v2) set_stream = nullptr;
  decltype(&cublasGetStream_v2) get_stream = nullptr;
  decltype(&cublasSetWorkspace_v2) set_workspace = nullptr;
  decltype(&cublasSetMathMode) set_math = nullptr;
  decltype(&cublasGetMathMode) get_math = nullptr;
  decltype(&cublasSetPointerMode_v2) set_pointers = nullptr;
  decltype(&cublasSetAtomicsMode) set_atomics = nullptr;
  decltype(static_cast<GemmEx>(&cublasGemmEx)) gemm = nullptr;
};

class Loaded final : public Cublas {
 public:
  Loaded() = default;
  // The file stays loaded until the process ends: it registers what it cannot take back.

  Status open(Library* library) override {
    *library = nullptr;
    if (!load()) return library_absent;
    cublasHandle_t handle = nullptr;
    if (const Status status = status_of(call_.create(&handle)); status != success) return status;
    // Sums by atomic additions come in any order: they are refused for all products.
    Status status = status_of(call_.set_atomics(handle, CUBLAS_ATOMICS_NOT_ALLOWED));
    if (status == success) status = status_of(call_.set_pointers(handle, CUBLAS_POINTER_MODE_HOST));
    if (status != success) {
      call_.destroy(handle);
      return status;
    }
    *library = handle;
    return success;
  }

  Status close(Library library) override {
    return status_of(call_.destroy(static_cast<cublasHandle_t>(library)));
  }

  Status version(Library, int* version) override {
    const libraryPropertyType parts[] = {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL};
    for (int i = 0; i < 3; ++i)
      if (const Status status = status_of(call_.property(parts[i], &version[i])); status != success)
        return status;
    return success;
  }

  Status gemm(Library library, const Gemm& product, Stream stream) override {
    auto* const handle = static_cast<cublasHandle_t>(library);
    constexpr std::int64_t most = std::numeric_limits<int>::max();
    for (const std::int64_t each : {product.rows, product.columns, product.depth, product.x_row,
                                    product.w_row, product.y_row})
      if (each > most) return not_supported;
    const bool tf32 = product.math == Gemm::Math::tf32;
    const cublasMath_t math = tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH;
    const cublasComputeType_t compute =
        tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
    // The workspace comes behind the stream, which takes the old one's place with the library's own.
    Status status = status_of(call_.set_stream(handle, static_cast<cudaStream_t>(stream)));
    if (status == success)
      status = status_of(call_.set_workspace(handle, product.workspace, product.workspace_bytes));
    if (status == success) status = status_of(call_.set_math(handle, math));
    cudaStream_t stream_kept = nullptr;
    cublasMath_t math_kept = CUBLAS_DEFAULT_MATH;
    if (status == success) status = status_of(call_.get_stream(handle, &stream_kept));
    if (status == success) status = status_of(call_.get_math(handle, &math_kept));
    if (status == success &&
        (stream_kept != static_cast<cudaStream_t>(stream) || math_kept != math))
      status = setting_lost;
    const auto i = [](std::int64_t value) { return static_cast<int>(value); };
    const float one = 1, zero = 0;
    // Its matrices are column-major: y' = w' x' of the transposed ones, which lie in memory as ours do.
    if (status == success)
      status = status_of(call_.gemm(
          handle, CUBLAS_OP_N, CUBLAS_OP_N, i(product.columns), i(product.rows), i(product.depth),
          &one, product.w, CUDA_R_32F, i(product.w_row), product.x, CUDA_R_32F, i(product.x_row),
          &zero, product.y, CUDA_R_32F, i(product.y_row), compute, CUBLAS_GEMM_DEFAULT));
    // No mode stays on the handle.
    const Status after = status_of(call_.set_math(handle, CUBLAS_DEFAULT_MATH));
    return status != success ? status : after;
  }

  std::string describe(Status status) const override {
    if (status == library_absent) return why_;
    if (status == setting_lost)
      return "cuBLAS does not have the stream or the math mode that was set for the call";
    const auto of_cublas = static_cast<cublasStatus_t>(status - library_absent);
    return (call_.create == nullptr ? std::string("an error of cuBLAS") : text_of(of_cublas)) +
           " (cublasStatus_t " + std::to_string(status - library_absent) + ")";
  }

 private:
  static std::string text_of(cublasStatus_t status) {
    switch (status) {
      case CUBLAS_STATUS_NOT_INITIALIZED:
        return "cuBLAS could not be initialised";
      case CUBLAS_STATUS_ALLOC_FAILED:
        return "cuBLAS had not enough memory, its workspace included";
      case CUBLAS_STATUS_ARCH_MISMATCH:
        return "cuBLAS does not support this device";
      case CUBLAS_STATUS_EXECUTION_FAILED:
        return "a kernel of cuBLAS failed";
      case CUBLAS_STATUS_NOT_SUPPORTED:
        return "cuBLAS does not support this product";
      default:
        return "an error of cuBLAS";
    }
  }

  template <class F>
  bool find(F& function, const char* symbol) {
    function = reinterpret_cast<F>(::dlsym(file_, symbol));
    if (function == nullptr && why_.empty())
      why_ = file_name() + " has no function " + symbol +
             "; install the cuBLAS of the CUDA toolkit that paritylab was built with";
    return function != nullptr;
  }

  static std::string file_name() { return "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR); }

  /// Whether the library is there with all its functions; tried once.
  bool load() {
    if (tried_) return why_.empty();
    tried_ = true;
    file_ = ::dlopen(file_name().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (file_ == nullptr) {
      const char* const error = ::dlerror();
      why_ =
          file_name() + " cannot be loaded (" + (error == nullptr ? "no reason given" : error) +
          "); install cuBLAS of the CUDA toolkit that paritylab was built with, or add its folder "
          "to LD_LIBRARY_PATH";
      return false;
    }
    return find(call_.create, "cublasCreate_v2") && find(call_.destroy, "cublasDestroy_v2") &&
           find(call_.property, "cublasGetProperty") &&
           find(call_.set_stream, "cublasSetStream_v2") &&
           find(call_.get_stream, "cublasGetStream_v2") &&
           find(call_.set_workspace, "cublasSetWorkspace_v2") &&
           find(call_.set_math, "cublasSetMathMode") && find(call_.get_math, "cublasGetMathMode") &&
           find(call_.set_pointers, "cublasSetPointerMode_v2") &&
           find(call_.set_atomics, "cublasSetAtomicsMode") && find(call_.gemm, "cublasGemmEx");
  }

  Functions call_;
  void* file_ = nullptr;
  bool tried_ = false;
  std::string why_;  ///< there is no library
};

}  // namespace

std::unique_ptr<Cublas> make_cublas() { return std::make_unique<Loaded>(); }

}  // namespace parity::cuda
