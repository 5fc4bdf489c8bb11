#pragma once
#include <functional>
#include <vector>

#include "shrinkage/steps.hpp"

// The prox of a penalty on groups, and its dual averaging, over a list of tensors, in place. Groups are worked whole, in
// lots whose bounds don't depend on the number of threads, so neither do the bits.
namespace shrinkage {
namespace groups {

using steps::Addresses;

// Tensors as (outer, groups, inner), with strengths and steps.
struct Tensors {
  Addresses w, steps;  // a step of address 0: the number in step_values
  std::vector<double> step_values;
  std::vector<Index> outer, groups, inner;
  std::vector<std::vector<double>> lams;  // for each tensor, one for all groups or one for each

  std::vector<Index> words(bool wide) const {  // sizes in floats, which `clash` counts in
    std::vector<Index> found;
    for (std::size_t k = 0; k < w.size(); k++) found.push_back(outer[k] * groups[k] * inner[k] * (wide ? 2 : 1));
    return found;
  }
};

// What dual averaging has besides.
struct Duals {
  Addresses z, l1_threshold, threshold, u;  // l1_threshold empty: no l1
};

// As many groups as are worth handing out; of narrow ones a multiple of what fits into a panel.
inline Index lot(Index outer, Index inner) {
  const Index panel = group_panel(outer), size = std::max<Index>(1, steps::chunk_size / (outer * inner));
  return inner >= panel ? size : (size + panel - 1) / panel * panel;
}

// Calls work(tensor, first group, how many, scratch) for all lots; the kernel keeps `arrays` of a panel's size.
template <class Real, class Work>
void in_lots(const Tensors& x, int arrays, int threads, const Work& work) {
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
    scratch = std::max(scratch, group_scratch(outer, inner, arrays));
  }
  std::atomic<std::size_t> next{0};
  const auto run = [&](std::vector<Real>& memory) {
    for (std::size_t n; (n = next.fetch_add(1, std::memory_order_relaxed)) < lots.size();)
      work(lots[n].tensor, lots[n].first, lots[n].count, memory.data());
  };
  const std::size_t wanted = static_cast<std::size_t>(std::max<Index>(1, std::min<Index>(threads, total / steps::worth_a_thread)));
  std::vector<std::vector<Real>> memories(wanted);
  for (auto& memory : memories) memory.resize(static_cast<std::size_t>(scratch));
  team::together(wanted, [&](std::size_t member) { run(memories[member]); });
}

template <class Real, class Kernel>
void prox_lots(const Kernel& kernel, const Tensors& x, double l1, double l2, int threads) {
  in_lots<Real>(x, 2, threads, [&](std::size_t k, Index first, Index count, Real* memory) {
    const GroupArrays<Real> arrays{steps::at<Real>(x.w, k, 0), steps::at<const Real>(x.steps, k, 0), x.outer[k], x.groups[k], x.inner[k]};
    kernel(arrays, {x.step_values[k], l1, l2, x.lams[k].data(), x.lams[k].size() == 1}, first, count, memory);
  });
}

// sum_i (l1 |w_i| + l2/2 w_i^2) + sum_g lam_g ||w_g||, with one step for each element or for each tensor
inline void prox(bool wide, const Tensors& x, double l1, double l2, int threads) {
  if (threads > 1 && steps::clash(steps::Storage::float32, x.words(wide), {&x.w}, {}, {})) threads = 1;
  if (wide)
    prox_lots<double>(kernels().group_prox_f64, x, l1, l2, threads);
  else
    prox_lots<float>(kernels().group_prox_f32, x, l1, l2, threads);
}

template <class Real, class Kernel>
void dual_lots(const Kernel& kernel, const Tensors& x, const Duals& d, double l1, double l2, double memory, int threads) {
  in_lots<Real>(x, d.l1_threshold.empty() ? 2 : 4, threads, [&](std::size_t k, Index first, Index count, Real* scratch) {
    const DualGroupArrays<Real> arrays{steps::at<Real>(x.w, k, 0),
                                       steps::at<Real>(d.z, k, 0),
                                       steps::at<Real>(d.l1_threshold, k, 0),
                                       steps::at<Real>(d.threshold, k, 0),
                                       steps::at<const Real>(d.u, k, 0),
                                       steps::at<const Real>(x.steps, k, 0),
                                       x.outer[k],
                                       x.groups[k],
                                       x.inner[k]};
    kernel(arrays, {x.step_values[k], l1, l2, memory, x.lams[k].data(), x.lams[k].size() == 1}, first, count, scratch);
  });
}

// Dual averaging of the same penalty, with one step for each group: that of the root mean square of 1 / step over it
inline void dual(bool wide, const Tensors& x, const Duals& d, double l1, double l2, double memory, int threads) {
  if (threads > 1 && steps::clash(steps::Storage::float32, x.words(wide), {&x.w, &d.z, &d.l1_threshold, &d.threshold}, {}, d.u)) threads = 1;
  if (wide)
    dual_lots<double>(kernels().dual_groups_f64, x, d, l1, l2, memory, threads);
  else
    dual_lots<float>(kernels().dual_groups_f32, x, d, l1, l2, memory, threads);
}

}  // namespace groups
}  // namespace shrinkage
