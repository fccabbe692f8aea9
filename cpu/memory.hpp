#pragma once

#include <cstddef>
#include <memory>

namespace parity::cpu {

/// 64-byte aligned memory, uninitialised, on huge pages where the kernel gives them. Throws
/// Fault::out_of_memory with the bytes asked for and what is available.
std::shared_ptr<void> allocate(std::size_t bytes);

/// Memory for the values of a network, which come and go at the same few sizes: what is given back
/// is handed out again, so that the kernel does not clear fresh pages for every stage. Holds at most
/// a quarter more than was ever handed out at once. Safe to give back to from any thread, also after the Memory itself is gone.
class Memory {
 public:
  Memory();
  std::shared_ptr<void> take(std::size_t bytes);

 private:
  struct Kept;
  std::shared_ptr<Kept> kept_;
};

}  // namespace parity::cpu
