#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/api.hpp"
#include "model/error.hpp"

namespace parity::simt {

using cuda::Extent;

class Block;

/// What one lane of a warp says when the lanes meet, at most this many bytes.
inline constexpr std::size_t most_said = 48;
inline constexpr int warp_lanes = 32;

/// 32 threads of a block (the last warp may be short) that meet in shuffles, ballots and matrix
/// instructions.
class Warp {
 public:
  Warp(Block& block, unsigned first, int lanes) : block_(&block), first_(first), lanes_(lanes) {}
  int lanes() const { return lanes_; }
  /// What a lane said at the meeting that has just ended.
  const void* said(int lane, Where where) const;

 private:
  friend class Thread;
  friend class Block;
  Block* block_;
  unsigned first_;  ///< thread number of lane 0
  int lanes_;
  int arrived_ = 0;
  std::uint64_t meeting_ = 0;
  const char* what_ = "";
  Where where_{};
  // Of two meetings in turn: a lane may say its next word while a slower one still reads this one's.
  unsigned char said_[2][warp_lanes][most_said] = {};
};

/// One CUDA thread: a fiber.
class Thread {
 public:
  enum class State { ready, at_barrier, in_warp, done };

  Extent index;
  unsigned number = 0;

  Extent block_index() const;
  Extent block_extent() const;
  Extent grid_extent() const;

  void barrier(Where where);
  /// Waits for the other lanes, each of which says `bytes` bytes.
  const Warp& meet_warp(const char* what, Where where, const void* said, std::size_t bytes);
  /// Counts one step of a thread that may be spinning, and lets others run.
  void step();

  void* static_shared(const void* type, std::size_t bytes);
  void* dynamic_shared();
  void start_copy(void* to, const void* from, std::size_t bytes);
  void commit_copies();
  void wait_copies(int open);

  Block& block() const { return *block_; }

 private:
  friend class Block;
  struct Copy {
    void* to;
    const void* from;  ///< null: zeros
    std::size_t bytes;
  };
  void suspend(State state);

  Block* block_ = nullptr;
  Warp* warp_ = nullptr;
  State state_ = State::ready;
  Where where_{};
  std::int64_t own_steps_ = 0;
  boost::context::fiber fiber_, caller_;
  std::vector<Copy> starting_;
  std::vector<std::vector<Copy>> in_flight_;
};

/// The CUDA thread that is running on this OS thread.
Thread& this_thread();

void require_aligned(const void* address, std::size_t alignment, Where where);
void mma_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                 Where where);
std::uint32_t cvt_rna_tf32(float value);

}  // namespace parity::simt
