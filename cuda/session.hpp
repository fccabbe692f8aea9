#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/api.hpp"
#include "model/error.hpp"

namespace parity::cuda {

/// One opened device: its streams, the memory of values, and the one place where statuses become
/// errors. Everything it owns is given back when the last value on the device is gone.
class Session : public std::enable_shared_from_this<Session> {
 public:
  /// Throws Fault::device when there is no such device or it cannot be used.
  static std::shared_ptr<Session> open(std::shared_ptr<Api> api, int device);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The stream whose turn it is.
  Queue queue() const { return {api_.get(), stream()}; }
  Api& api() const { return *api_; }
  int device() const { return device_; }
  const DeviceProperties& properties() const { return properties_; }
  /// "NVIDIA H200, sm_90"
  std::string name() const;
  /// major * 10 + minor.
  int capability() const { return properties_.major * 10 + properties_.minor; }

  /// Gives the turn to the next of `streams` streams, round and round. Its work waits for all that was
  /// given to the device before, so that there is one order, as on one stream.
  void take_turn(int streams);

  /// Why the vendor's library of products cannot be had, as a sentence without its end; empty when it is
  /// open. Throws Fault::device when it is there and fails.
  std::string no_library();
  /// The library, opened the first time. Throws Fault::device when it cannot be had.
  Library library();
  /// "13.1.0" once it is open, else nothing.
  std::optional<std::string> library_version();

  /// Throws Fault::device unless the call succeeded, once the stream is empty: "running stage 'blocks.1.3' on NVIDIA H200 …".
  void check(Status status, const std::string& action);
  /// Waits for the stream; errors of everything that ran since the last wait appear here.
  void wait(const std::string& action);

  /// Uninitialised device memory, given back when the last owner is gone; kept for the next taker of the
  /// same size up to a quarter above the fullest moment. Work on the stream is in order, so memory may be
  /// handed on while kernels that use it are still waiting. Throws Fault::out_of_memory with the bytes
  /// required and available.
  std::shared_ptr<void> take(std::size_t bytes);
  /// Bytes handed out at the fullest moment, with what an open library was seen to take.
  std::size_t peak_bytes() const { return peak_; }

 private:
  Session(std::shared_ptr<Api> api, int device);
  Stream stream() const { return streams_.empty() ? nullptr : streams_[turn_]; }
  void give_back(void* memory, std::size_t bytes) noexcept;
  /// Gives kept memory back to the device until at most `keep` bytes of it are left.
  void drop_kept(std::size_t keep) noexcept;
  /// Before an error is thrown: lets what was launched end and clears what it left behind.
  void drain() noexcept;
  [[noreturn]] void throw_out_of_memory(std::size_t bytes);

  std::shared_ptr<Api> api_;
  int device_;
  DeviceProperties properties_;
  std::vector<Stream> streams_;
  std::size_t turn_ = 0;  ///< the stream in use
  Event reached_ = nullptr;
  Library library_ = nullptr;
  std::multimap<std::size_t, void*> kept_;
  std::size_t kept_bytes_ = 0, live_ = 0, peak_ = 0;
  Status lost_ = success;  ///< of a release that had nobody to tell
};

}  // namespace parity::cuda
