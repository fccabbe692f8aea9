#pragma once

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cuda/api.hpp"
#include "model/arithmetic/tensor_core.hpp"
#include "model/error.hpp"
#include "tests/simt/thread.hpp"

namespace parity::simt {

/// A barrier in the source of a kernel.
struct Site {
  std::string file;
  int line = 0;
  friend auto operator<=>(const Site&, const Site&) = default;
};

/// How the simulated device runs kernels.
struct Settings {
  /// How threads take turns: 0 all in order, 1 all in reverse; 2 and 3 the same with each warp running ahead as
  /// far as it can; from 4 on at random, odd ones fair, even ones with warps running ahead.
  std::uint64_t schedule = 0;
  /// This barrier does nothing: what a test must notice.
  std::optional<Site> silenced;
  /// What mma instructions compute; null where the device has none.
  const TensorCore* core = &k8f25;
  std::size_t most_shared_bytes = 227 * 1024;
  /// Steps (meetings and atomic operations) of one thread after which a kernel counts as hanging.
  std::int64_t most_steps = 1 << 22;
};

/// Stacks of the fibers, kept between launches.
class Stacks {
 public:
  Stacks();
  boost::context::pooled_fixedsize_stack& pool() { return pool_; }

 private:
  boost::context::pooled_fixedsize_stack pool_;
};

/// Shared memory of a block: static objects by type and the dynamic part, each between guards and filled
/// with 0xff, which is NaN.
class SharedMemory {
 public:
  void start(std::size_t dynamic_bytes, std::size_t most_bytes);
  void* of_type(const void* type, std::size_t bytes, std::size_t most_bytes);
  void* dynamic() { return dynamic_; }
  /// What was written beside its object; empty when nothing.
  std::string damage() const;

 private:
  struct Part {
    const void* type;
    std::size_t bytes;
    std::vector<unsigned char> memory;  ///< guard, object, guard
    unsigned char* data();
  };
  std::vector<Part> parts_;  ///< kept from block to block
  std::size_t live_ = 0;     ///< how many of parts_ this block uses
  std::size_t used_bytes_ = 0;
  void* dynamic_ = nullptr;
  Part& add(const void* type, std::size_t bytes, std::size_t most_bytes);
};

/// One block: fibers that take turns.
class Block {
 public:
  Block(Stacks& stacks, const Settings& settings, std::vector<Site>& barriers)
      : stacks_(&stacks), settings_(&settings), barriers_(&barriers) {}

  /// Runs every thread to its end. What went wrong, or nothing.
  std::string run(const cuda::Kernel& kernel, const void* argument, Extent grid, Extent position,
                  Extent extent, std::size_t dynamic_bytes, std::uint64_t seed);

  Extent grid() const { return grid_; }
  Extent position() const { return position_; }
  Extent extent() const { return extent_; }
  const Settings& settings() const { return *settings_; }
  SharedMemory& shared() { return shared_; }

 private:
  friend class Thread;
  friend class Warp;
  void start(Thread& thread);
  std::string take_turns(std::uint64_t seed);
  /// Lets a thread run to its next meeting; false when it is waiting or done.
  bool turn(Thread& thread);
  void arrive_at_barrier();
  void count_step(const Thread& thread);
  /// Whether this barrier is the silenced one; every barrier met is noted.
  bool silenced(Where where);
  std::string standstill() const;

  Stacks* stacks_;
  const Settings* settings_;
  std::vector<Site>* barriers_;
  const cuda::Kernel* kernel_ = nullptr;
  const void* argument_ = nullptr;
  Extent grid_, position_, extent_;
  SharedMemory shared_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  unsigned at_barrier_ = 0, done_ = 0;
  std::int64_t steps_ = 0;
  std::string problem_;
  struct Known {
    Where where;
    bool silenced;
  };
  std::vector<Known> known_;
};

/// Runs a whole launch, block after block. What went wrong as a sentence, or nothing. Adds every barrier
/// that was met to `barriers`, each once.
std::string run_grid(const cuda::Kernel& kernel, Extent grid, Extent block,
                     std::size_t shared_bytes, const void* argument, const Settings& settings,
                     Stacks& stacks, std::vector<Site>& barriers);

}  // namespace parity::simt
