#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/team.hpp"

// One optimizer step over a list of tensors. The work is cut into chunks whose bounds don't depend on the number of
// threads, so neither do the bits.
namespace shrinkage {
namespace steps {

using Address = std::uint64_t;
using Addresses = std::vector<Address>;

constexpr Index chunk_size = 1 << 15;
constexpr Index worth_a_thread = 1 << 17;  // elements; below, a step is over before a thread has started

template <class Real>
Real* at(const Addresses& addresses, std::size_t tensor, Index first) {
  return addresses.empty() || addresses[tensor] == 0 ? nullptr : reinterpret_cast<Real*>(addresses[tensor]) + first;
}

// result[k] = sum over the chunks of tensor k, in order, of work(k, first element, count)
template <class Work>
std::vector<double> over_chunks(const std::vector<Index>& sizes, int threads, const Work& work) {
  struct Chunk {
    std::size_t tensor;
    Index first, count;
  };
  std::vector<Chunk> chunks;
  Index total = 0;
  for (std::size_t k = 0; k < sizes.size(); k++) {
    for (Index i = 0; i < sizes[k]; i += chunk_size) chunks.push_back({k, i, std::min(chunk_size, sizes[k] - i)});
    total += sizes[k];
  }
  std::vector<double> sums(chunks.size());
  std::atomic<std::size_t> next{0};
  const auto run = [&](std::size_t) {
    for (std::size_t c; (c = next.fetch_add(1, std::memory_order_relaxed)) < chunks.size();)
      sums[c] = work(chunks[c].tensor, chunks[c].first, chunks[c].count);
  };
  team::together(static_cast<std::size_t>(std::max<Index>(1, std::min<Index>(threads, total / worth_a_thread))), run);
  std::vector<double> result(sizes.size());
  for (std::size_t c = 0; c < chunks.size(); c++) result[chunks[c].tensor] += sums[c];
  return result;
}

enum class Storage { float32, bfloat16, mixed };  // mixed: bfloat16 with dual states in float32

// Is something written that another tensor reads or writes? Then only one thread does what a loop over tensors would.
inline bool clash(Storage storage, const std::vector<Index>& sizes, std::initializer_list<const Addresses*> states,
                  std::initializer_list<const Addresses*> duals, const Addresses& grads) {
  struct Range {
    Address start, stop;
    bool written;
  };
  std::vector<Range> ranges;
  const auto add = [&](const Addresses& addresses, Address bytes, bool written) {
    for (std::size_t k = 0; k < addresses.size(); k++)
      if (sizes[k] > 0) ranges.push_back({addresses[k], addresses[k] + bytes * static_cast<Address>(sizes[k]), written});
  };
  const Address bytes = storage == Storage::float32 ? 4 : 2;
  for (const Addresses* state : states) add(*state, bytes, true);
  for (const Addresses* dual : duals) add(*dual, storage == Storage::bfloat16 ? 2 : 4, true);
  add(grads, bytes, false);
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  Address reached = 0, reached_by_written = 0;
  for (const Range& range : ranges) {
    if (range.start < (range.written ? reached : reached_by_written)) return true;
    reached = std::max(reached, range.stop);
    if (range.written) reached_by_written = std::max(reached_by_written, range.stop);
  }
  return false;
}

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay, shrink, memory;
  bool maximize;
  bool in_metric;  // thresholds lr l1 / d; otherwise lr l1
  Bend bend = Bend::none;
  double gamma = 0;  // of the bend; floors must keep lr / d below gamma (MCP), gamma - 1 (SCAD)
};

struct AdamTensors {
  Addresses w, g, m, v, v_max, z, threshold;  // v_max empty: no amsgrad; z empty: no dual averaging
  std::vector<Index> sizes;
  std::vector<double> steps, floors, l1, l2;
  Addresses factors = {};                                       // float32 beside every storage; empty, or 0 where a tensor has none
  std::vector<double> lr = {}, weight_decay = {}, shrink = {};  // of each tensor, in place of the step's; empty: the step's
};

inline AdamScalars scalars_of(const AdamStep& step, double t, double floor, double l1, double l2) {
  const double bias1 = 1 - std::pow(step.beta1, t), root = std::sqrt(1 - std::pow(step.beta2, t));
  const auto f = [](double x) { return static_cast<float>(x); };
  AdamScalars s{};
  s.sign = step.maximize ? -1.0f : 1.0f;
  s.weight_decay = f(step.weight_decay);
  s.shrink = f(step.shrink);
  s.beta1 = f(step.beta1);
  s.beta2 = f(step.beta2);
  s.beta1_rest = f(1 - step.beta1);
  s.beta2_rest = f(1 - step.beta2);
  s.inv_root_bias = f(1 / root);
  s.eps = f(step.eps);
  s.floor = f(floor);
  s.step = f(step.lr / bias1);
  (step.in_metric ? s.l1 : s.l1_constant) = f(step.in_metric ? bias1 * l1 : step.lr * l1);
  (step.in_metric ? s.l2 : s.l2_constant) = f(step.in_metric ? bias1 * l2 : step.lr * l2);
  s.memory = step.lr == 0 ? 1.0f : f(step.memory);
  s.bend = step.bend;
  s.lambda = f(l1);
  s.edge = f(step.gamma * l1);
  if (step.bend != Bend::none) s.concavity = f(bias1 / (step.bend == Bend::mcp ? step.gamma : step.gamma - 1));
  return s;
}

template <class Real, class Dual>
AdamArrays<Real, Dual> arrays_of(const AdamTensors& x, std::size_t k, Index i) {
  return {at<Real>(x.w, k, i),     at<const Real>(x.g, k, i), at<Real>(x.m, k, i),         at<Real>(x.v, k, i),
          at<Real>(x.v_max, k, i), at<Dual>(x.z, k, i),       at<Dual>(x.threshold, k, i), at<const float>(x.factors, k, i)};
}

// For each tensor, the sum of vhat after the step.
inline std::vector<double> adam(Storage storage, const AdamTensors& x, const AdamStep& step, int threads) {
  std::vector<AdamScalars> scalars;
  for (std::size_t k = 0; k < x.sizes.size(); k++) {
    AdamStep own = step;
    if (!x.lr.empty()) own.lr = x.lr[k];
    if (!x.weight_decay.empty()) own.weight_decay = x.weight_decay[k];
    if (!x.shrink.empty()) own.shrink = x.shrink[k];
    scalars.push_back(scalars_of(own, x.steps[k], x.floors[k], x.l1[k], x.l2[k]));
  }
  const Kernels& run = kernels();
  const bool dual = !x.z.empty();
  if (threads > 1 && clash(storage, x.sizes, {&x.w, &x.m, &x.v, &x.v_max}, {&x.z, &x.threshold}, x.g)) threads = 1;
  std::vector<double> sums = over_chunks(x.sizes, threads, [&](std::size_t k, Index i, Index count) {
    const AdamScalars& s = scalars[k];
    if (storage == Storage::float32) return (dual ? run.dual_adam_f32 : run.prox_adam_f32)(count, arrays_of<float, float>(x, k, i), s);
    if (storage == Storage::mixed && dual) return run.dual_adam_mixed(count, arrays_of<Bfloat16, float>(x, k, i), s);
    return (dual ? run.dual_adam_bf16 : run.prox_adam_bf16)(count, arrays_of<Bfloat16, Bfloat16>(x, k, i), s);
  });
  for (std::size_t k = 0; k < sums.size(); k++) sums[k] /= 1 - std::pow(step.beta2, x.steps[k]);
  return sums;
}

struct SgdStep {
  double lr, momentum, dampening, weight_decay, memory;
  bool nesterov, maximize;
};

struct SgdTensors {
  Addresses w, g, buffer, z;  // buffer empty: no momentum; z empty: no dual averaging
  std::vector<Index> sizes;
  std::vector<bool> first;                         // the buffer is not yet filled
  std::vector<double> l1, l2, kept_threshold;      // times lr and the momentum's scale; the old threshold times memory
  Addresses factors = {};                          // as Adam's, without dual averaging
  std::vector<double> lr = {}, weight_decay = {};  // of each tensor, in place of the step's; empty: the step's
};

inline void sgd(Storage storage, const SgdTensors& x, const SgdStep& step, int threads) {
  const auto f = [](double value) { return static_cast<float>(value); };
  const Kernels& run = kernels();
  const bool dual = !x.z.empty();
  if (threads > 1 && clash(storage, x.sizes, {&x.w, &x.buffer}, {&x.z}, x.g)) threads = 1;
  over_chunks(x.sizes, threads, [&](std::size_t k, Index i, Index count) {
    SgdScalars s{};
    s.sign = step.maximize ? -1.0f : 1.0f;
    s.weight_decay = f(x.weight_decay.empty() ? step.weight_decay : x.weight_decay[k]);
    s.momentum = f(step.momentum);
    s.rest = f(1 - step.dampening);
    s.first = x.first[k];
    s.nesterov = step.nesterov;
    const double lr = x.lr.empty() ? step.lr : x.lr[k];
    s.lr = f(lr);
    s.l1 = f(x.l1[k]);
    s.l2 = f(x.l2[k]);
    s.memory = lr == 0 ? 1.0f : f(step.memory);
    s.threshold = dual ? f(x.kept_threshold[k]) : 0.0f;
    const auto arrays = [&](auto real, auto dual_real) {
      using Real = decltype(real);
      using Dual = decltype(dual_real);
      return SgdArrays<Real, Dual>{at<Real>(x.w, k, i), at<const Real>(x.g, k, i), at<Real>(x.buffer, k, i), at<Dual>(x.z, k, i),
                                   at<const float>(x.factors, k, i)};
    };
    if (storage == Storage::float32)
      (dual ? run.dual_sgd_f32 : run.prox_sgd_f32)(count, arrays(0.0f, 0.0f), s);
    else if (storage == Storage::mixed && dual)
      run.dual_sgd_mixed(count, arrays(Bfloat16{}, 0.0f), s);
    else
      (dual ? run.dual_sgd_bf16 : run.prox_sgd_bf16)(count, arrays(Bfloat16{}, Bfloat16{}), s);
    return 0.0;
  });
}

}  // namespace steps
}  // namespace shrinkage
