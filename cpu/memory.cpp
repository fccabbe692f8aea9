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
  std::vector<Block> blocks;
};

Memory::Memory() : kept_(std::make_shared<Kept>()) {}

std::shared_ptr<void> Memory::take(std::size_t bytes) {
  if (bytes < huge_page) return allocate(bytes);  // malloc keeps the small ones itself
  Kept::Block block{nullptr, bytes};
  {
    const std::lock_guard<std::mutex> hold(kept_->lock);
    auto best = kept_->blocks.end();
    for (auto it = kept_->blocks.begin(); it != kept_->blocks.end(); ++it) {
      const bool fits = it->bytes >= bytes && it->bytes <= bytes + bytes / 8;
      if (fits && (best == kept_->blocks.end() || it->bytes < best->bytes)) best = it;
    }
    if (best != kept_->blocks.end()) {
      block = std::move(*best);
      kept_->blocks.erase(best);
    } else {
      kept_->blocks.clear();
    }
  }
  if (block.memory == nullptr) block.memory = allocate(bytes);
  void* const data = block.memory.get();
  return {data, [kept = kept_, block = std::move(block)](void*) mutable {
            const std::lock_guard<std::mutex> hold(kept->lock);
            kept->blocks.push_back(std::move(block));
          }};
}

}  // namespace parity::cpu
