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
  std::size_t live = 0;       ///< bytes handed out now
  std::size_t most_live = 0;  ///< and at the fullest moment so far

  void drop(std::vector<Block>::iterator block) {
    kept -= block->bytes;
    blocks.erase(block);
  }
};

Memory::Memory() : kept_(std::make_shared<Kept>()) {}

std::shared_ptr<void> Memory::take(std::size_t bytes) {
  if (bytes < huge_page) return allocate(bytes);  // malloc keeps the small ones itself
  Kept::Block block{nullptr, bytes};
  {
    Kept& k = *kept_;
    const std::lock_guard<std::mutex> hold(k.lock);
    auto best = k.blocks.end();
    for (auto it = k.blocks.begin(); it != k.blocks.end(); ++it) {
      const bool fits = it->bytes >= bytes && it->bytes <= bytes + bytes / 8;
      if (fits && (best == k.blocks.end() || it->bytes < best->bytes)) best = it;
    }
    if (best != k.blocks.end()) {
      block = *best;
      k.drop(best);
    }
    k.live += block.bytes;
    k.most_live = std::max(k.most_live, k.live);
    // A quarter above what the network needs at its fullest: enough to keep the few sizes that come
    // again, and the smallest go first because they cost least to make anew.
    while (k.live + k.kept > k.most_live + k.most_live / 4 && !k.blocks.empty())
      k.drop(std::min_element(k.blocks.begin(), k.blocks.end(),
                              [](const auto& a, const auto& b) { return a.bytes < b.bytes; }));
  }
  if (block.memory == nullptr) block.memory = allocate(bytes);
  void* const data = block.memory.get();
  return {data, [kept = kept_, block = std::move(block)](void*) mutable {
            const std::lock_guard<std::mutex> hold(kept->lock);
            kept->live -= block.bytes;
            kept->kept += block.bytes;
            kept->blocks.push_back(std::move(block));
          }};
}

}  // namespace parity::cpu
