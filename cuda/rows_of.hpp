#pragma once

#include <string>

#include "cuda/indexed_rows.hpp"
#include "cuda/ops.hpp"
#include "model/ops/indexed_rows.hpp"

namespace parity::cuda {

/// The rows as the kernels read them. Throws Fault::bad_request when they walk more axes than kernels do.
RowsArgument rows_of(const IndexedRows& rows, const std::int64_t* indices, const std::string& what);

/// Waits for the device and throws Fault::bad_input when one of the `count` indices lies outside its axis:
/// a kernel cannot, and what it would read is nobody's.
void require_inside(const IndexedRows& rows, const std::int64_t* indices, std::int64_t count,
                    const std::string& what, const Job& job);

}  // namespace parity::cuda
