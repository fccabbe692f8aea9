#include "cpu/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "model/error.hpp"

namespace parity::cpu {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
/// malloc gives larger blocks back to the kernel as soon as the top of its heap is free, and their
/// pages are cleared anew for every stage: measured ten times the cost of a multiplication that fits
/// the cache.
constexpr std::size_t smallest_kept = std::size_t{64} << 10;

}  // namespace

std::shared_ptr<void> allocate(std::size_t bytes) {
  const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
  const std::size_t rounded =
      (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* const data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) {
    const long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    throw Error(Fault::out_of_memory,
                "a tensor needs " + std::to_string(bytes) + " bytes of memory, " +
                    std::to_string(static_cast<long long>(pages) * page) +
                    " are available; use a smaller input or --until to run a part");
  }
  // A hint: refusal costs speed, not bits.
  if (alignment == huge_page) madvise(data, rounded, MADV_HUGEPAGE);
  return {data, [](void* memory) { std::free(memory); }};
}

struct Memory::Kept {
  struct Block {
    std::shared_ptr<void> memory;
    std::size_t bytes;
  };
  std::mutex lock;
  std::vector<Block> blocks;  ///< given back, oldest first
  std::size_t kept = 0;       ///< their bytes
  std::size_t out = 0;        ///< bytes of the blocks handed out
  std::size_t live = 0;       ///< bytes asked for and not given back
  std::size_t most_live = 0;  ///< and at the fullest moment so far

  bool spare(std::size_t bytes) const { return out + kept + bytes <= most_live + most_live / 4; }

  Block remove(std::vector<Block>::iterator at) {
    const Block block = std::move(*at);
    kept -= block.bytes;
    blocks.erase(at);
    return block;
  }

  std::vector<Block>::iterator smallest(std::size_t at_least) {
    auto best = blocks.end();
    for (auto it = blocks.begin(); it != blocks.end(); ++it)
      if (it->bytes >= at_least && (best == blocks.end() || it->bytes < best->bytes)) best = it;
    return best;
  }
};

Memory::Memory() : kept_(std::make_shared<Kept>()) {}

std::shared_ptr<void> Memory::take(std::size_t bytes) {
  if (bytes < smallest_kept) return allocate(bytes);  // malloc keeps the small ones itself
  Kept::Block block{nullptr, bytes};
  {
    Kept& k = *kept_;
    const std::lock_guard<std::mutex> hold(k.lock);
    k.most_live = std::max(k.most_live, k.live + bytes);
    // A much larger block is taken only when fresh memory would exceed what may be kept: its pages
    // are there already, so that taking it costs nothing. Else the smallest go, because they cost
    // least to make anew.
    const auto best = k.smallest(bytes);
    if (best != k.blocks.end() && (best->bytes <= bytes + bytes / 8 || !k.spare(bytes))) {
      block = k.remove(best);
    } else {
      while (!k.blocks.empty() && !k.spare(bytes)) k.remove(k.smallest(0));
      block.memory = allocate(bytes);
    }
    k.live += bytes;
    k.out += block.bytes;
  }
  void* const data = block.memory.get();
  return {data, [kept = kept_, block = std::move(block), bytes](void*) mutable {
            const std::lock_guard<std::mutex> hold(kept->lock);
            kept->live -= bytes;
            kept->out -= block.bytes;
            kept->kept += block.bytes;
            kept->blocks.push_back(std::move(block));
          }};
}

}  // namespace parity::cpu
