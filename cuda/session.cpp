#include "cuda/session.hpp"

#include <algorithm>
#include <utility>

namespace parity::cuda {
namespace {

constexpr std::size_t granule = 512;

}  // namespace

Session::Session(std::shared_ptr<Api> api, int device) : api_(std::move(api)), device_(device) {}

std::shared_ptr<Session> Session::open(std::shared_ptr<Api> api, int device) {
  const std::shared_ptr<Session> session(new Session(std::move(api), device));
  const std::string action = "opening CUDA device " + std::to_string(device);
  session->check(session->api_->use_device(device), action);
  session->check(session->api_->properties(device, &session->properties_), action);
  Stream stream = nullptr;
  session->check(session->api_->create_stream(&stream), action);
  session->streams_.push_back(stream);
  return session;
}

Session::~Session() {
  // Nobody is left to be told of errors here.
  for (const Stream stream : streams_) api_->synchronise(stream);
  drop_kept(0);
  if (library_ != nullptr) api_->close_library(library_);
  if (reached_ != nullptr) api_->destroy_event(reached_);
  for (const Stream stream : streams_) api_->destroy_stream(stream);
}

std::string Session::name() const {
  const std::string name = properties_.name;
  return (name.empty() ? "CUDA device " + std::to_string(device_) : name) + ", sm_" +
         std::to_string(capability());
}

void Session::take_turn(int streams) {
  const std::size_t next = streams > 1 ? (turn_ + 1) % static_cast<std::size_t>(streams) : 0;
  if (next == turn_) return;
  const std::string action = "going on on another stream";
  while (streams_.size() <= next) {
    Stream made = nullptr;
    check(api_->create_stream(&made), action);
    streams_.push_back(made);
  }
  if (reached_ == nullptr) check(api_->create_event(&reached_), action);
  check(api_->record(reached_, stream()), action);
  check(api_->wait(streams_[next], reached_), action);
  turn_ = next;
}

std::string Session::no_library() {
  if (library_ != nullptr) return {};
  const std::string action = "opening cuBLAS";
  std::size_t before = 0, after = 0, total = 0;
  check(api_->memory(&before, &total), action);
  const Status status = api_->open_library(&library_);
  if (status == library_absent) return api_->describe(status);
  check(status, action);
  check(api_->memory(&after, &total), action);
  // It takes memory of its own, which nobody else can tell.
  live_ += before - std::min(before, after);
  peak_ = std::max(peak_, live_);
  return {};
}

Library Session::library() {
  if (const std::string why = no_library(); !why.empty())
    throw Error(Fault::device, "cuBLAS cannot be used on " + name() + ": " + why + ".");
  return library_;
}

std::optional<std::string> Session::library_version() {
  if (library_ == nullptr) return std::nullopt;
  int version[3] = {};
  check(api_->library_version(library_, version), "asking cuBLAS for its version");
  return std::to_string(version[0]) + "." + std::to_string(version[1]) + "." +
         std::to_string(version[2]);
}

void Session::check(Status status, const std::string& action) {
  if (status == success) status = std::exchange(lost_, success);
  if (status == success) return;
  const std::string why = api_->describe(status);
  drain();
  throw Error(Fault::device, action + " on " + name() + " failed: " + why +
                                 ". Results since the last check are lost; run `paritylab doctor` "
                                 "to see whether the device still answers.");
}

void Session::drain() noexcept {
  // Copies that are still waiting name host memory that the exception is about to give back.
  if (!streams_.empty()) api_->synchronise(stream());
  api_->clear_error();  // or the next innocent check reports this error again
}

void Session::wait(const std::string& action) { check(api_->synchronise(stream()), action); }

std::shared_ptr<void> Session::take(std::size_t bytes) {
  const std::size_t size = (std::max<std::size_t>(bytes, 1) + granule - 1) / granule * granule;
  void* memory = nullptr;
  const auto found = kept_.lower_bound(size);
  std::size_t got = size;
  if (found != kept_.end() && found->first <= size + size / 8) {
    got = found->first;
    memory = found->second;
    kept_bytes_ -= got;
    kept_.erase(found);
  } else {
    Status status = api_->allocate(&memory, size);
    if (status == out_of_memory) {
      api_->clear_error();
      drop_kept(0);
      status = api_->allocate(&memory, size);
    }
    if (status == out_of_memory) throw_out_of_memory(bytes);
    if (status != success) check(status, "allocating " + std::to_string(bytes) + " bytes");
  }
  live_ += got;
  peak_ = std::max(peak_, live_);
  drop_kept(peak_ + peak_ / 4 - std::min(live_, peak_ + peak_ / 4));
  return {memory, [session = shared_from_this(), got](void* p) { session->give_back(p, got); }};
}

void Session::throw_out_of_memory(std::size_t bytes) {
  drain();
  std::size_t free_bytes = 0, total_bytes = 0;
  const bool known = api_->memory(&free_bytes, &total_bytes) == success;
  throw Error(Fault::out_of_memory,
              "a tensor needs " + std::to_string(bytes) + " bytes of memory on " + name() + ", " +
                  (known ? std::to_string(free_bytes) + " of " + std::to_string(total_bytes) +
                               " are available"
                         : std::string("more than are available")) +
                  " while " + std::to_string(live_) +
                  " are in use by this run; use a smaller input or --until to run a part");
}

void Session::give_back(void* memory, std::size_t bytes) noexcept {
  live_ -= bytes;
  try {
    kept_.emplace(bytes, memory);
    kept_bytes_ += bytes;
  } catch (...) {  // no memory for a node of the map
    const Status status = api_->release(memory);
    if (lost_ == success) lost_ = status;
  }
}

void Session::drop_kept(std::size_t keep) noexcept {
  // The smallest go first because they cost least to make anew.
  while (kept_bytes_ > keep && !kept_.empty()) {
    const auto smallest = kept_.begin();
    const Status status = api_->release(smallest->second);
    if (lost_ == success) lost_ = status;
    kept_bytes_ -= smallest->first;
    kept_.erase(smallest);
  }
}

}  // namespace parity::cuda
