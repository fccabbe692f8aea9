#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/session.hpp"
#include "model/comparison.hpp"
#include "model/op.hpp"
#include "model/value.hpp"

namespace parity::cuda {

/// What stands behind Backend::digest, compare, split, map and elements: one pass on the device, its small
/// result merged on the host. All read float32 and float64 values, also mixed, in either layout, and give the
/// processor's bits.
Digest digest(const Value& value, Session& session);
Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                   const Allowance& allowance, Session& session);
Split split(const Value& a, const Value& local, const Value& b, Session& session);
ErrorMap map(const Value& a, const Value& b, Session& session);
std::vector<double> elements_at(const Value& value, std::span<const std::int64_t> indices,
                                Session& session);

}  // namespace parity::cuda
