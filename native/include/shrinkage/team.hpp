#pragma once
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

// Several threads at one piece of work. Those of the framework whose tensors are stepped are the best: after a backward
// pass they still spin, and would compete with any others for the cores. Without them, threads live for one call.
namespace shrinkage {
namespace team {

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
