#pragma once

namespace parity {

/// Any op: a std::variant over every room (model/ops.hpp), wrapped so that it can be
/// forward-declared.
struct Op;

}  // namespace parity
