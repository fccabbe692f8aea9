#pragma once

#include <iosfwd>
#include <optional>

#include "model/numerics.hpp"

namespace parity::cli {

/// `paritylab mma`: runs the tensor-core model on vectors, so that it can be laid beside a device's
/// answers.
///
/// Reads comma-separated lines without quoting: a cell holds no comma and no line break. The first
/// line that is neither empty nor starts with '#' is the header; it names a column c, columns a0 …
/// a(n-1) and as many b0 … b(n-1), in any order and among any others. Cells of these columns are
/// float32 bit patterns of one to eight hex digits, with or without 0x. Everything is written back
/// as it came, and every row gets a last column `d` of eight lower-case hex digits: the chain of
/// the arch's steps over k ascending, starting from c, n filled up with zeros to a multiple of the
/// block. Operands are fed raw, so the model drops their low 13 bits itself; with `rounding` a and
/// b are rounded to TF32 first. Lines may end in LF or CR LF, the last one in neither; all are
/// written with an end.
///
/// Throws Fault::bad_request when the arch has no TF32 tensor core or the header names a column d,
/// and Fault::bad_input, with line and column, when the header is incomplete or a row is malformed.
void run_mma(std::istream& in, std::ostream& out, Arch arch, std::optional<Rounding> rounding);

}  // namespace parity::cli
