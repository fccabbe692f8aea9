#pragma once

#include <memory>
#include <string>

#include "cuda/api.hpp"

namespace parity::cuda {

/// cuBLAS as the part of the table of functions that it is (Api::open_library and below). Its file is loaded
/// when a library is first asked for and never before, so that a program starts where there is none.
class Cublas {
 public:
  virtual ~Cublas() = default;
  virtual Status open(Library* library) = 0;
  virtual Status close(Library library) = 0;
  virtual Status version(Library library, int* version) = 0;
  virtual Status gemm(Library library, const Gemm& product, Stream stream) = 0;
  /// Of a status from library_absent upward.
  virtual std::string describe(Status status) const = 0;
};

std::unique_ptr<Cublas> make_cublas();

}  // namespace parity::cuda
