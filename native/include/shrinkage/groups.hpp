#pragma once
#include <functional>
#include <vector>

#include "shrinkage/steps.hpp"

// The prox of a penalty on groups over a list of tensors, in place. Groups are worked whole, in lots whose bounds don't
// depend on the number of threads, so neither do the bits.
namespace shrinkage {
namespace groups {

using steps::Addresses;

struct Tensors {
  Addresses w, steps;  // a step of address 0: the number in step_values
  std::vector<double> step_values;
  std::vector<Index> outer, groups, inner;
  std::vector<std::vector<double>> lams;  // for each tensor, one for all groups or one for each
};

// As many groups as are worth handing out; of narrow ones a multiple of what fits into a panel.
inline Index lot(Index outer, Index inner) {
  const Index panel = group_panel(outer), size = std::max<Index>(1, steps::chunk_size / (outer * inner));
  return inner >= panel ? size : (size + panel - 1) / panel * panel;
}

template <class Real, class Kernel>
void prox_lots(const Kernel& kernel, const Tensors& x, double l1, double l2, int threads) {
  struct Lot {
    std::size_t tensor;
    Index first, count;
  };
  std::vector<Lot> lots;
  Index total = 0, scratch = 0;
  for (std::size_t k = 0; k < x.w.size(); k++) {
    const Index outer = x.outer[k], inner = x.inner[k], size = outer * inner;
    if (size == 0) continue;
    const Index each = lot(outer, inner);
    for (Index g = 0; g < x.groups[k]; g += each) lots.push_back({k, g, std::min(each, x.groups[k] - g)});
    total += size * x.groups[k];
    scratch = std::max(scratch, group_scratch(outer, inner));
  }
  const auto work = [&](std::size_t n, Real* memory) {
    const auto [k, first, count] = lots[n];
    const GroupArrays<Real> arrays{steps::at<Real>(x.w, k, 0), steps::at<const Real>(x.steps, k, 0), x.outer[k], x.groups[k], x.inner[k]};
    kernel(arrays, {x.step_values[k], l1, l2, x.lams[k].data(), x.lams[k].size() == 1}, first, count, memory);
  };
  std::atomic<std::size_t> next{0};
  const auto run = [&](std::vector<Real>& memory) {
    for (std::size_t n; (n = next.fetch_add(1, std::memory_order_relaxed)) < lots.size();) work(n, memory.data());
  };
  const std::size_t wanted = static_cast<std::size_t>(std::max<Index>(1, std::min<Index>(threads, total / steps::worth_a_thread)));
  std::vector<std::vector<Real>> memories(wanted);
  for (auto& memory : memories) memory.resize(static_cast<std::size_t>(scratch));
  std::vector<std::thread> others;
  others.reserve(wanted);
  try {
    for (std::size_t t = 1; t < wanted; t++) others.emplace_back(run, std::ref(memories[t]));
  } catch (const std::system_error&) {  // the system gives no more threads: those there are do the work
  }
  run(memories[0]);
  for (std::thread& other : others) other.join();
}

// sum_i (l1 |w_i| + l2/2 w_i^2) + sum_g lam_g ||w_g||, with one step for each element or for each tensor
inline void prox(bool wide, const Tensors& x, double l1, double l2, int threads) {
  std::vector<Index> words;  // sizes in floats, which `clash` counts in
  for (std::size_t k = 0; k < x.w.size(); k++) words.push_back(x.outer[k] * x.groups[k] * x.inner[k] * (wide ? 2 : 1));
  if (threads > 1 && steps::clash(steps::Storage::float32, words, {&x.w}, {}, {})) threads = 1;
  if (wide)
    prox_lots<double>(kernels().group_prox_f64, x, l1, l2, threads);
  else
    prox_lots<float>(kernels().group_prox_f32, x, l1, l2, threads);
}

}  // namespace groups
}  // namespace shrinkage
