#include "model/arithmetic/tensor_core.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "model/error.hpp"

namespace parity {

const TensorCore& tensor_core(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::tensor_k4f24:
      return k4f24;
    case Algorithm::tensor_k8f25:
      return k8f25;
    default:
      throw Error(Fault::internal, "the tensor-core model was asked for algorithm '" +
                                       std::string(name(algorithm)) +
                                       "', which is none of tensor:k4f24 and tensor:k8f25");
  }
}

std::uint32_t tensor_core_dot(const TensorCore& core, std::span<const std::uint32_t> a,
                              std::span<const std::uint32_t> b, std::uint32_t c) {
  if (a.size() != b.size()) {
    throw Error(Fault::internal, "a tensor-core dot product was given " + std::to_string(a.size()) +
                                     " and " + std::to_string(b.size()) + " operands");
  }
  const auto block = static_cast<std::size_t>(core.block);
  std::uint32_t acc = c;
  for (std::size_t first = 0; first < a.size(); first += block) {
    std::array<std::uint32_t, tensor_core_group> x{}, y{};
    const std::size_t terms = std::min(block, a.size() - first);
    std::copy_n(a.begin() + static_cast<std::ptrdiff_t>(first), terms, x.begin());
    std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(first), terms, y.begin());
    acc = tensor_core_step(core, x.data(), y.data(), acc);
  }
  return acc;
}

}  // namespace parity
