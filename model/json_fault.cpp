#include "model/json_fault.hpp"

#include <nlohmann/json.hpp>

namespace parity {

std::string json_fault(const std::exception& failure) {
  if (const auto* parse = dynamic_cast<const nlohmann::json::parse_error*>(&failure))
    return "it is no JSON, from byte " + std::to_string(parse->byte) + " on";
  // "[json.exception.type_error.302] type must be string, but is number"
  const std::string text = failure.what();
  const std::size_t bracket = text.find("] ");
  return bracket == std::string::npos ? text : text.substr(bracket + 2);
}

}  // namespace parity
