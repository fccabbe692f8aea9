#include "tests/simt/grid.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>

#include "model/arithmetic/tf32.hpp"

namespace parity::simt {
namespace {

// Sanitizers make frames larger.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t stack_size = 256 * 1024;
#else
constexpr std::size_t stack_size = 64 * 1024;
#endif
// Not a power of two, so that the tops of many stacks do not share cache sets.
constexpr std::size_t stack_bytes = stack_size + 4096 + 320;
constexpr std::size_t guard_bytes = 64;
constexpr unsigned char guard = 0xa5, poison = 0xff;

thread_local Thread* running = nullptr;

std::string text(Where where) { return std::string(where.file) + ":" + std::to_string(where.line); }
std::string text(Extent e) {
  return "(" + std::to_string(e.x) + ", " + std::to_string(e.y) + ", " + std::to_string(e.z) + ")";
}
bool same(Where a, Where b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}
[[noreturn]] void fail(const std::string& what) { throw Error(Fault::device, what); }

std::uint64_t product(Extent e) { return std::uint64_t{e.x} * e.y * e.z; }
Extent position_in(Extent e, std::uint64_t number) {
  return {static_cast<unsigned>(number % e.x), static_cast<unsigned>(number / e.x % e.y),
          static_cast<unsigned>(number / e.x / e.y)};
}

/// Puts the blocks of a grid into the order of a schedule.
void arrange(std::vector<std::uint64_t>& order, std::uint64_t schedule, std::mt19937_64& random) {
  if (schedule > 3)
    std::shuffle(order.begin(), order.end(), random);
  else if (schedule % 2 == 1)
    std::reverse(order.begin(), order.end());
}

}  // namespace

Thread& this_thread() { return *running; }

Stacks::Stacks() : pool_(stack_bytes) {}

// Shared memory.

unsigned char* SharedMemory::Part::data() {
  // 128-byte aligned behind its guard.
  auto* const first = memory.data() + guard_bytes;
  const std::size_t odd = reinterpret_cast<std::uintptr_t>(first) % 128;
  return odd == 0 ? first : first + (128 - odd);
}

SharedMemory::Part& SharedMemory::add(const void* type, std::size_t bytes, std::size_t most_bytes) {
  used_bytes_ += bytes;
  if (used_bytes_ > most_bytes)
    fail("the block uses " + std::to_string(used_bytes_) + " bytes of shared memory where " +
         std::to_string(most_bytes) + " is the most");
  auto found =
      std::find_if(parts_.begin() + static_cast<std::ptrdiff_t>(live_), parts_.end(),
                   [&](const Part& part) { return part.type == type && part.bytes == bytes; });
  if (found == parts_.end()) {
    parts_.push_back({type, bytes, std::vector<unsigned char>(bytes + 2 * guard_bytes + 128)});
    found = parts_.end() - 1;
  }
  std::iter_swap(parts_.begin() + static_cast<std::ptrdiff_t>(live_), found);
  Part& part = parts_[live_++];
  std::fill(part.memory.begin(), part.memory.end(), guard);
  std::fill_n(part.data(), bytes, poison);
  return part;
}

void SharedMemory::start(std::size_t dynamic_bytes, std::size_t most_bytes) {
  live_ = 0;
  used_bytes_ = 0;
  dynamic_ = add(nullptr, dynamic_bytes, most_bytes).data();
}

void* SharedMemory::of_type(const void* type, std::size_t bytes, std::size_t most_bytes) {
  for (std::size_t i = 0; i < live_; ++i)
    if (parts_[i].type == type) return parts_[i].data();
  return add(type, bytes, most_bytes).data();
}

std::string SharedMemory::damage() const {
  for (std::size_t i = 0; i < live_; ++i) {
    auto& part = const_cast<Part&>(parts_[i]);
    const auto* const begin = part.memory.data();
    const auto* const data = part.data();
    const auto intact = [](unsigned char byte) { return byte == guard; };
    const bool before = std::all_of(begin, data, intact);
    const bool behind = std::all_of(data + part.bytes, begin + part.memory.size(), intact);
    if (!before || !behind)
      return std::string("wrote ") + (before ? "behind" : "before") + " the " +
             (part.type == nullptr ? "dynamic" : "static") + " shared memory of " +
             std::to_string(part.bytes) + " bytes";
  }
  return {};
}

// Threads.

Extent Thread::block_index() const { return block_->position(); }
Extent Thread::block_extent() const { return block_->extent(); }
Extent Thread::grid_extent() const { return block_->grid(); }

void Thread::suspend(State state) {
  state_ = state;
  block_->count_step(*this);
  caller_ = std::move(caller_).resume();
}

void Thread::barrier(Where where) {
  if (block_->silenced(where)) return;
  where_ = where;
  state_ = State::at_barrier;
  block_->arrive_at_barrier();
  suspend(state_);
}

void Thread::step() {
  // Not at every one, which would make atomic operations slow; often enough for a spinning thread.
  constexpr std::int64_t steps_between_turns = 64;
  if (++own_steps_ % steps_between_turns == 0) suspend(State::ready);
}

const Warp& Thread::meet_warp(const char* what, Where where, const void* said, std::size_t bytes) {
  Warp& warp = *warp_;
  const unsigned lane = number - warp.first_;
  if (warp.arrived_ == 0) {
    warp.what_ = what;
    warp.where_ = where;
  } else if (std::strcmp(warp.what_, what) != 0 || !same(warp.where_, where)) {
    fail("lane " + std::to_string(lane) + " of a warp is at " + what + " in " + text(where) +
         " while another is at " + warp.what_ + " in " + text(warp.where_));
  }
  if (bytes > 0) std::memcpy(warp.said_[warp.meeting_ % 2][lane], said, bytes);
  where_ = where;
  if (++warp.arrived_ == warp.lanes_) {
    warp.arrived_ = 0;
    ++warp.meeting_;
    for (int l = 0; l < warp.lanes_; ++l)
      block_->threads_[warp.first_ + static_cast<unsigned>(l)].state_ = State::ready;
    suspend(State::ready);
  } else {
    suspend(State::in_warp);
  }
  return warp;
}

const void* Warp::said(int lane, Where where) const {
  if (lane < 0 || lane >= lanes_)
    fail("lane " + std::to_string(lane) + " of a warp of " + std::to_string(lanes_) +
         " is asked for in " + text(where));
  return said_[(meeting_ + 1) % 2][lane];
}

void* Thread::static_shared(const void* type, std::size_t bytes) {
  return block_->shared().of_type(type, bytes, block_->settings().most_shared_bytes);
}
void* Thread::dynamic_shared() { return block_->shared().dynamic(); }

void Thread::start_copy(void* to, const void* from, std::size_t bytes) {
  std::memset(to, poison, bytes);
  starting_.push_back({to, from, bytes});
}
void Thread::commit_copies() {
  in_flight_.push_back(std::move(starting_));
  starting_.clear();
}
void Thread::wait_copies(int open) {
  while (in_flight_.size() > static_cast<std::size_t>(open)) {
    for (const Copy& copy : in_flight_.front()) {
      if (copy.from != nullptr)
        std::memcpy(copy.to, copy.from, copy.bytes);
      else
        std::memset(copy.to, 0, copy.bytes);
    }
    in_flight_.erase(in_flight_.begin());
  }
}

void require_aligned(const void* address, std::size_t alignment, Where where) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignment != 0)
    fail("an address is no multiple of " + std::to_string(alignment) + " bytes in " + text(where));
}

std::uint32_t cvt_rna_tf32(float value) {
  return round_to_tf32(std::bit_cast<std::uint32_t>(value), Rounding::rna);
}

void mma_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                 Where where) {
  Thread& thread = this_thread();
  const TensorCore* const core = thread.block().settings().core;
  if (core == nullptr)
    fail("mma in " + text(where) + ": the simulated device has no such instruction");
  struct Fragments {
    std::uint32_t a[4], b[2];
  } mine;
  std::copy_n(a, 4, mine.a);
  std::copy_n(b, 2, mine.b);
  const Warp& warp = thread.meet_warp("mma", where, &mine, sizeof mine);
  const auto fragments = [&](int lane) {
    Fragments f;
    std::memcpy(&f, warp.said(lane, where), sizeof f);
    return f;
  };
  const int lane = static_cast<int>(thread.number % warp_lanes), g = lane / 4, t = lane % 4;
  // A[row][k] is held by lane 4 (row % 8) + k % 4, B[k][column] by lane 4 column + k % 4.
  std::array<std::array<std::uint32_t, 8>, 2> x{}, y{};  // two rows, two columns
  for (int k = 0; k < 8; ++k) {
    const Fragments of_a = fragments(4 * g + k % 4);
    x[0][static_cast<std::size_t>(k)] = of_a.a[k < 4 ? 0 : 2];
    x[1][static_cast<std::size_t>(k)] = of_a.a[k < 4 ? 1 : 3];
    for (int column = 0; column < 2; ++column)
      y[static_cast<std::size_t>(column)][static_cast<std::size_t>(k)] =
          fragments(4 * (2 * t + column) + k % 4).b[k / 4];
  }
  for (std::size_t i = 0; i < 4; ++i)
    d[i] = std::bit_cast<float>(
        tensor_core_dot(*core, x[i / 2], y[i % 2], std::bit_cast<std::uint32_t>(d[i])));
}

// Blocks.

bool Block::silenced(Where where) {
  for (const Known& each : known_)
    if (same(each.where, where)) return each.silenced;
  const Site site{where.file, where.line};
  if (std::find(barriers_->begin(), barriers_->end(), site) == barriers_->end())
    barriers_->push_back(site);
  known_.push_back({where, settings_->silenced == site});
  return known_.back().silenced;
}

void Block::count_step(const Thread& thread) {
  if (++steps_ > settings_->most_steps * static_cast<std::int64_t>(threads_.size()))
    fail("the kernel hangs: thread " + text(thread.index) + " and the others of block " +
         text(position_) + " have made " + std::to_string(steps_) + " steps");
}

void Block::arrive_at_barrier() {
  if (++at_barrier_ < threads_.size()) return;
  at_barrier_ = 0;
  const Where first = threads_.front().where_;
  for (Thread& thread : threads_) {
    if (!same(thread.where_, first))
      fail("divergent barriers: thread " + text(threads_.front().index) + " waits in " +
           text(first) + ", thread " + text(thread.index) + " in " + text(thread.where_));
    thread.state_ = Thread::State::ready;
  }
}

void Block::start(Thread& thread) {
  thread.fiber_ = boost::context::fiber(std::allocator_arg, stacks_->pool(),
                                        [this, &thread](boost::context::fiber&& caller) {
                                          thread.caller_ = std::move(caller);
                                          try {
                                            kernel_->call(kernel_->entry, argument_);
                                          } catch (const Error& error) {
                                            if (problem_.empty()) problem_ = error.what();
                                          }
                                          thread.state_ = Thread::State::done;
                                          ++done_;
                                          return std::move(thread.caller_);
                                        });
}

std::string Block::standstill() const {
  unsigned waiting = 0;
  const Thread* one = nullptr;
  for (const Thread& thread : threads_)
    if (thread.state_ != Thread::State::done) {
      ++waiting;
      one = &thread;
    }
  return "divergent threads: " + std::to_string(waiting) + " of " +
         std::to_string(threads_.size()) + " threads wait for the others, one of them at a " +
         (one->state_ == Thread::State::at_barrier ? "barrier" : "meeting of its warp") + " in " +
         text(one->where_) + "; " + std::to_string(done_) + " have left the kernel";
}

bool Block::turn(Thread& thread) {
  if (thread.state_ != Thread::State::ready) return false;
  running = &thread;
  thread.fiber_ = std::move(thread.fiber_).resume();
  return true;
}

std::string Block::take_turns(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  // Groups of threads that run as far as they can before the next has its turn: a whole block that takes
  // turns fairly, or warps that run ahead.
  const std::uint64_t schedule = settings_->schedule;
  const bool ahead = schedule == 2 || schedule == 3 || (schedule > 3 && schedule % 2 == 0);
  std::vector<std::vector<Thread*>> groups(ahead ? warps_.size() : 1);
  for (Thread& thread : threads_) groups[ahead ? thread.number / warp_lanes : 0].push_back(&thread);
  if (schedule % 2 == 1 && schedule < 4) {
    std::reverse(groups.begin(), groups.end());
    for (auto& group : groups) std::reverse(group.begin(), group.end());
  }
  while (done_ < threads_.size()) {
    if (schedule > 3) std::shuffle(groups.begin(), groups.end(), random);
    bool moved = false;
    for (auto& group : groups) {
      bool going = true;
      while (going) {
        if (schedule > 3) std::shuffle(group.begin(), group.end(), random);
        going = false;
        for (Thread* const thread : group) {
          going = turn(*thread) || going;
          if (!problem_.empty()) return problem_;
        }
        moved = moved || going;
      }
    }
    if (!moved) return standstill();
  }
  return shared_.damage();
}

std::string Block::run(const cuda::Kernel& kernel, const void* argument, Extent grid,
                       Extent position, Extent extent, std::size_t dynamic_bytes,
                       std::uint64_t seed) {
  kernel_ = &kernel;
  argument_ = argument;
  grid_ = grid;
  position_ = position;
  extent_ = extent;
  at_barrier_ = done_ = 0;
  steps_ = 0;
  shared_.start(dynamic_bytes, settings_->most_shared_bytes);
  const auto count = static_cast<unsigned>(product(extent));
  threads_ = std::vector<Thread>(count);
  warps_.clear();
  for (unsigned first = 0; first < count; first += warp_lanes)
    warps_.emplace_back(*this, first,
                        static_cast<int>(std::min<unsigned>(warp_lanes, count - first)));
  for (unsigned i = 0; i < count; ++i) {
    Thread& thread = threads_[i];
    thread.index = position_in(extent, i);
    thread.number = i;
    thread.block_ = this;
    thread.warp_ = &warps_[i / warp_lanes];
    start(thread);
  }
  std::string problem = take_turns(seed);
  threads_.clear();  // unwinds those that have not ended
  return problem;
}

std::string run_grid(const cuda::Kernel& kernel, Extent grid, Extent block,
                     std::size_t shared_bytes, const void* argument, const Settings& settings,
                     Stacks& stacks, std::vector<Site>& barriers) {
  const std::uint64_t blocks = product(grid), threads = product(block);
  if (threads == 0 || threads > 1024 || grid.y > 65535 || grid.z > 65535)
    return "kernel " + std::string(kernel.name) + " was launched with a grid of " + text(grid) +
           " and blocks of " + text(block) + ", which no device takes";
  std::mt19937_64 random(settings.schedule);
  std::vector<std::uint64_t> order(blocks);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  arrange(order, settings.schedule, random);
  Block one(stacks, settings, barriers);
  for (const std::uint64_t number : order) {
    std::string problem;
    try {
      problem =
          one.run(kernel, argument, grid, position_in(grid, number), block, shared_bytes, random());
    } catch (const Error& error) {
      problem = error.what();
    }
    if (!problem.empty())
      return "kernel " + std::string(kernel.name) + ", block " + text(position_in(grid, number)) +
             ": " + problem;
  }
  return {};
}

}  // namespace parity::simt
