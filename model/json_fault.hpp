#pragma once

#include <exception>
#include <string>

namespace parity {

/// Why the JSON library refused a text, without its vocabulary: "it is no JSON, from byte 12 on",
/// "key 'stages' not found". `failure`: what it threw.
std::string json_fault(const std::exception& failure);

}  // namespace parity
