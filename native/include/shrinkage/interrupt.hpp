#pragma once
#include <atomic>
#include <chrono>

namespace shrinkage {

// Thrown out of a long computation when the caller asked to stop; what was being computed is lost.
struct Interrupted {};

// Asked between steps of long computations; Python's binding sets it to look for Ctrl-C. Null: never.
inline bool (*interrupt_requested)() = nullptr;

namespace interrupt {

// Set while a thread works in a team: raised when the work is to end early.
inline thread_local const std::atomic<bool>* stop = nullptr;
// Threads of the pool leave the asking to the thread that called them.
inline thread_local bool may_ask = true;

// Asks at most once in this time: asking waits for Python's lock, which other threads may hold.
constexpr std::chrono::milliseconds pause{10};

inline bool requested() {
  using Clock = std::chrono::steady_clock;
  thread_local Clock::time_point asked{};
  if (!interrupt_requested || !may_ask) return false;
  const Clock::time_point now = Clock::now();
  if (now - asked < pause) return false;
  asked = now;
  return interrupt_requested();
}

}  // namespace interrupt

inline void check_interrupt() {
  if ((interrupt::stop && interrupt::stop->load(std::memory_order_relaxed)) || interrupt::requested()) throw Interrupted{};
}

}  // namespace shrinkage
