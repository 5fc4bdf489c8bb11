#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "shrinkage/interrupt.hpp"

// Threads that wait between calls for the next. One call has them at a time; who finds them taken works alone, so calls
// from several threads of a program do not fight for cores. A forked process, whose parent kept the threads, makes its own.
namespace shrinkage {
namespace pool {

// Does this thread work beside others in a call at present?
inline thread_local bool inside = false;

// Items to be done, and what came of them.
class Call {
 public:
  using Work = void (*)(const void* what, std::int64_t item, std::size_t member);

  Call(std::int64_t count, Work work, const void* what) : count_(count), work_(work), what_(what) {}

  // all items, here and now
  void run_alone() const {
    for (std::int64_t item = 0; item < count_; item++) {
      check_interrupt();
      work_(what_, item, 0);
    }
  }

  // takes items until none is left
  void run(std::size_t member) {
    interrupt::stop = &stop_;
    inside = true;
    try {
      while (!stop_.load(std::memory_order_relaxed)) {
        const std::int64_t item = next_.fetch_add(1, std::memory_order_relaxed);
        if (item >= count_) break;
        check_interrupt();
        work_(what_, item, member);
      }
    } catch (...) {
      fail(std::current_exception());
    }
    interrupt::stop = nullptr;
    inside = false;
  }

  // Python asks to stop: the members leave off at their next check
  void interrupt() { fail(std::make_exception_ptr(Interrupted{})); }

  // what a member threw
  void finish() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void fail(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = error;
    stop_.store(true, std::memory_order_relaxed);
  }

  const std::int64_t count_;
  const Work work_;
  const void* const what_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
};

class Pool {
 public:
  // Runs the call with up to `helpers` more threads; they may come late, or never if there is nothing left to do.
  void run(Call& call, std::size_t helpers) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) return call.run_alone();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      hire(helpers);
      call_ = &call;
      wanted_ = helpers;
      round_++;
    }
    wake_.notify_all();
    call.run(0);
    std::unique_lock<std::mutex> lock(mutex_);
    call_ = nullptr;
    while (!done_.wait_for(lock, interrupt::pause, [this] { return working_ == 0; })) {
      lock.unlock();
      if (interrupt::requested()) call.interrupt();
      lock.lock();
    }
    lock.unlock();
    call.finish();
  }

 private:
  void hire(std::size_t helpers) {
    try {
      for (; hired_ < helpers; hired_++) std::thread([this, member = hired_ + 1, round = round_] { serve(member, round); }).detach();
    } catch (const std::system_error&) {  // the system gives no more threads: those there are do the work
    }
  }

  void serve(std::size_t member, std::uint64_t round) {
    interrupt::may_ask = false;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != round; });
      round = round_;
      if (!call_ || member > wanted_) continue;
      Call& call = *call_;
      working_++;
      lock.unlock();
      call.run(member);
      lock.lock();
      if (--working_ == 0) done_.notify_one();
    }
  }

  std::mutex turn_, mutex_;
  std::condition_variable wake_, done_;
  Call* call_ = nullptr;
  std::size_t wanted_ = 0, hired_ = 0, working_ = 0;
  std::uint64_t round_ = 0;
};

inline long process() {
#if defined(_WIN32)
  return 0;
#else
  return static_cast<long>(getpid());
#endif
}

// This process's pool. Never destroyed: its threads wait in it until the process ends.
inline Pool& ours() {
  struct Owned {
    long process;
    Pool pool;
  };
  static std::atomic<Owned*> owned{nullptr};
  Owned* found = owned.load();
  while (!found || found->process != process()) {
    Owned* made = new Owned{process(), {}};
    if (owned.compare_exchange_strong(found, made)) return made->pool;
    delete made;
  }
  return found->pool;
}

inline void run(Call& call, std::size_t helpers) {
  if (helpers == 0)
    call.run_alone();
  else
    ours().run(call, helpers);
}

}  // namespace pool
}  // namespace shrinkage
