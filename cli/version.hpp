#pragma once

#include <string>

namespace parity::cli {

/// "0.1.0".
std::string version();
/// The commit that was built, "-dirty" behind it when the tree was changed; empty outside a
/// checkout.
std::string commit();
/// "paritylab 0.1.0 (commit 17cdf09)".
std::string version_text();

}  // namespace parity::cli
