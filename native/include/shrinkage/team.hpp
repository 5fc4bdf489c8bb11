#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/pool.hpp"

// Several threads at one piece of work.
//
// The engine: cut the work into items whose bounds depend on the data alone, say about how many multiply-adds there are
// in all, and let `share` have each item done once by whichever member is free:
//
//     const std::size_t members = team::members(blocks, 2.0 * n * p * k);       // 1 for tiny work, and inside a team
//     std::vector<std::vector<double>> scratch(members);
//     team::share(members, blocks, [&](std::int64_t block, std::size_t member) { ... scratch[member] ... });
//
// Items write to places of their own; a sum over items is made afterwards in the order of the items. Then bits do not
// depend on the number of threads. BLAS calls inside run on one thread, for Python's side sees to it
// (src/shrinkage/_threads.py). An item may throw: no more items begin, and the first exception comes out of `share`.
// Call `check_interrupt()` within long items; before and between items `share` does. Inside an item another `share`
// works alone.
namespace shrinkage {
namespace team {

// The most threads that a call may use, the caller included; `shrinkage.threads` sets it.
inline std::atomic<int>& limit() {
  static std::atomic<int> threads{1};
  return threads;
}

// Multiply-adds that make waking one more thread worth while: about a tenth of a millisecond.
constexpr double worth_a_member = 1e6;

// How many threads to use for `count` items of `operations` multiply-adds in all
inline std::size_t members(std::int64_t count, double operations) {
  if (pool::inside) return 1;
  const double most = std::min<double>(limit().load(std::memory_order_relaxed), static_cast<double>(count));
  return static_cast<std::size_t>(std::max(1.0, std::min(most, operations / worth_a_member)));
}

// work(item, member) once for each item in 0 .. count - 1, by members 0 .. members - 1 (fewer where no thread is free)
template <class Work>
void share(std::size_t members, std::int64_t count, const Work& work) {
  check_interrupt();  // here, for other members may do all the items
  pool::Call call(count, [](const void* what, std::int64_t item, std::size_t member) { (*static_cast<const Work*>(what))(item, member); }, &work);
  pool::run(call, members > 1 && !pool::inside ? members - 1 : 0);
}

// --- Optimizer steps. Threads of the framework whose tensors are stepped are the best: after a backward pass they still
// spin, and would compete with any others for the cores. Without them, threads live for one call.

// GNU OpenMP's GOMP_parallel, whose shape is part of its stable interface: function, its argument, threads, flags.
using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);

inline std::atomic<Parallel>& lent() {
  static std::atomic<Parallel> found{nullptr};
  return found;
}

// Calls work(member) for members 0 .. up to wanted - 1, at least for member 0; work must not throw.
template <class Work>
void together(std::size_t wanted, const Work& work) {
  if (wanted <= 1) return work(std::size_t{0});
  if (const Parallel parallel = lent().load()) {
    struct Call {
      const Work& work;
      std::atomic<std::size_t> members{0};
    } call{work};
    const auto enter = [](void* data) {
      Call& entered = *static_cast<Call*>(data);
      entered.work(entered.members.fetch_add(1));
    };
    return parallel(enter, &call, static_cast<unsigned>(wanted), 0u);
  }
  std::vector<std::thread> others;
  others.reserve(wanted);
  try {
    for (std::size_t t = 1; t < wanted; t++) others.emplace_back([&work, t] { work(t); });
  } catch (const std::system_error&) {  // the system gives no more threads: those there are do the work
  }
  work(std::size_t{0});
  for (std::thread& other : others) other.join();
}

}  // namespace team
}  // namespace shrinkage
