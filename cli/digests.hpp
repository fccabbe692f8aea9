#pragma once

#include <string>

#include "compare/determinism.hpp"

namespace parity::cli {

/// The digests of a run as a file: which network, by which plan, and per stage and output 32 hex
/// digits.
std::string write_digests(const Trail& trail, const Graph& graph, const Plan& plan);

/// The digests of a file that write_digests() made of these stages. Throws Fault::bad_input when it
/// is none, or of another network or cut.
Trail read_digests(const std::string& json, const Graph& graph, const Plan& plan);

}  // namespace parity::cli
