#include <atomic>
#include <cstring>
#include <limits>
#include <thread>

#include "check.hpp"
#include "shrinkage/steps.hpp"

using namespace shrinkage;
using steps::Address;
using steps::Storage;

namespace {

float widen(Bfloat16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
float widen(float x) {
  return x;
}

// A bfloat16 or float32 near x: what a test starts from.
template <class Real>
Real narrow(double x);
template <>
float narrow<float>(double x) {
  return static_cast<float>(x);
}
template <>
Bfloat16 narrow<Bfloat16>(double x) {
  const float value = static_cast<float>(x);
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {static_cast<std::uint16_t>(bits >> 16)};
}

double soft(double z, double a) {
  return z > a ? z - a : z < -a ? z + a : 0;
}

// The minimizer over u >= 0 of step p(u) + (u - size)^2 / 2, p the penalty that bends: by its slopes between its knots.
double prox_of_bend(double size, double step, double lambda, const steps::AdamStep& of) {
  const bool mcp = of.bend == Bend::mcp;
  const double first = mcp ? 0 : lambda, last = of.gamma * lambda, width = mcp ? of.gamma : of.gamma - 1;
  if (size > last) return size;
  if (size <= first + step * lambda) return std::max(size - step * lambda, 0.0);
  // u + step (lambda - (u - first) / width) = size
  return (size - step * (lambda + first / width)) / (1 - step / width);
}

// One weight with all that its step reads and writes, in double.
struct Weight {
  double w, g, m, v, v_max, z, threshold, factor;
};

// The formulas of the step, as papers write them.
Weight adam_by_definition(Weight x, const steps::AdamStep& step, double t, double floor, double l1, double l2, bool amsgrad, bool dual) {
  double g = step.maximize ? -x.g : x.g;
  g += step.weight_decay * x.w;
  const double start = x.w * step.shrink;
  x.m = step.beta1 * x.m + (1 - step.beta1) * g;
  x.v = step.beta2 * x.v + (1 - step.beta2) * g * g;
  x.v_max = std::max(x.v_max, x.v);
  const double second = (amsgrad ? x.v_max : x.v) / (1 - std::pow(step.beta2, t));
  const double d = std::max(std::sqrt(second) + step.eps, floor), first = x.m / (1 - std::pow(step.beta1, t));
  l1 *= x.factor, l2 *= x.factor;
  const double a = step.lr * l1 / (step.in_metric ? d : 1), c = step.lr * l2 / (step.in_metric ? d : 1);
  const double moved = start - step.lr * first / d;
  if (step.bend != Bend::none) {
    x.w = std::copysign(prox_of_bend(std::fabs(moved), step.lr / d, l1, step), moved);
    return x;
  }
  if (!dual) {
    x.w = soft(moved, a) / (1 + c);
    return x;
  }
  const double memory = step.lr == 0 ? 1 : step.memory, old = x.threshold;
  x.threshold = memory * old + a;
  const double z = x.w != 0 ? x.w / std::fabs(x.w) * memory * old + moved : memory * x.z + moved;
  const bool stays = x.w != 0 && moved * x.w / std::fabs(x.w) > a;
  x.w = (stays ? soft(moved, a) : soft(z, x.threshold)) / (1 + c);
  x.z = x.w == 0 ? z : 0;
  return x;
}

Weight sgd_by_definition(Weight x, const steps::SgdStep& step, bool with_buffer, bool first, double l1, double l2, double kept, bool dual) {
  double u = (step.maximize ? -x.g : x.g) + step.weight_decay * x.w;
  if (with_buffer) {
    x.m = first ? u : step.momentum * x.m + (1 - step.dampening) * u;
    u = step.nesterov ? u + step.momentum * x.m : x.m;
  }
  const double moved = x.w - step.lr * u;
  if (!dual) {
    x.w = soft(moved, l1 * x.factor) / (1 + l2 * x.factor);
    return x;
  }
  const double s = x.w > 0 ? 1 : -1, z = x.w != 0 ? s * kept + moved : step.memory * x.z - step.lr * u;
  x.w = (x.w != 0 && s * moved > l1 ? soft(moved, l1) : soft(z, kept + l1)) / (1 + l2);
  x.z = x.w == 0 ? z : 0;
  return x;
}

// A tensor of `count` weights that starts `offset` elements into its memory, one guard value after it.
template <class Real, class Dual>
struct Tensor {
  Index count, offset;
  std::vector<Real> w, g, m, v, v_max;
  std::vector<Dual> z, threshold;
  std::vector<float> factors;

  Tensor(Index n, Index start, unsigned seed) : count(n), offset(start) {
    check::Random random(seed);
    for (Index i = 0; i < n + start + 1; i++) {
      const bool zero = i % 3 == 1;
      w.push_back(narrow<Real>(zero ? 0 : random.next()));
      g.push_back(narrow<Real>(random.next()));
      m.push_back(narrow<Real>(0.5 * random.next()));
      v.push_back(narrow<Real>(0.05 + 0.05 * random.next()));
      v_max.push_back(narrow<Real>(0.06));
      z.push_back(narrow<Dual>(zero ? 0.3 * random.next() : 0));
      threshold.push_back(narrow<Dual>(0.2 + 0.1 * random.next()));
      factors.push_back(i % 5 == 2 ? 0 : static_cast<float>(1 + 0.9 * random.next()));
    }
  }

  Weight weight(Index i, bool factored = false) const {
    const Index k = i + offset;
    return {widen(w[k]), widen(g[k]), widen(m[k]), widen(v[k]), widen(v_max[k]), widen(z[k]), widen(threshold[k]), factored ? factors[k] : 1.0};
  }
  template <class Value>
  steps::Addresses address(std::vector<Value>& values) const {
    return {reinterpret_cast<Address>(values.data() + offset)};
  }
};

template <class Real, class Dual>
constexpr Storage storage() {
  if (sizeof(Real) == 4) return Storage::float32;
  return sizeof(Dual) == 4 ? Storage::mixed : Storage::bfloat16;
}

// Half an ulp of the storage, and a few of float32.
template <class Real>
double precision() {
  return sizeof(Real) == 4 ? 3e-6 : 1.0 / 256;
}

template <class Real, class Dual>
void check_adam(const steps::AdamStep& step, double l2, bool amsgrad, bool dual, bool factored = false) {
  const double t = 3, floor = 0.25, l1 = 0.4;
  for (Index n = 0; n <= 70; n++) {
    Tensor<Real, Dual> x(n, n % 5, static_cast<unsigned>(n));
    const Tensor<Real, Dual> before = x;
    steps::AdamTensors lists{x.address(x.w), x.address(x.g), x.address(x.m), x.address(x.v), {}, {}, {}, {n}, {t}, {floor}, {l1}, {l2}};
    if (amsgrad) lists.v_max = x.address(x.v_max);
    if (dual) lists.z = x.address(x.z), lists.threshold = x.address(x.threshold);
    if (factored) lists.factors = x.address(x.factors);
    const double sum = steps::adam(storage<Real, Dual>(), lists, step, 1)[0];
    double total = 0;
    for (Index i = 0; i < n; i++) {
      const Weight right = adam_by_definition(before.weight(i, factored), step, t, floor, l1, l2, amsgrad, dual), got = x.weight(i);
      const double tol = precision<Real>(), dual_tol = precision<Dual>();
      CHECK_CLOSE(got.w, right.w, tol);
      CHECK_CLOSE(got.m, right.m, tol);
      CHECK_CLOSE(got.v, right.v, tol);
      if (amsgrad) CHECK_CLOSE(got.v_max, right.v_max, tol);
      if (dual) CHECK_CLOSE(got.z, right.z, dual_tol);
      if (dual) CHECK_CLOSE(got.threshold, right.threshold, dual_tol);
      total += (amsgrad ? right.v_max : right.v) / (1 - std::pow(step.beta2, t));
    }
    CHECK_CLOSE(sum, total, 1e-5);
    CHECK(std::memcmp(&x.w[n + x.offset], &before.w[n + x.offset], sizeof(Real)) == 0);
  }
}

template <class Real, class Dual>
void check_sgd(const steps::SgdStep& step, bool with_buffer, bool first, double l2, bool dual, bool factored = false) {
  const double l1 = 0.02, kept = dual ? 0.2 : 0;
  for (Index n = 0; n <= 70; n++) {
    Tensor<Real, Dual> x(n, n % 5, static_cast<unsigned>(n));
    const Tensor<Real, Dual> before = x;
    steps::SgdTensors lists{x.address(x.w), x.address(x.g), {}, {}, {n}, {first}, {l1}, {l2}, {kept}};
    if (with_buffer) lists.buffer = x.address(x.m);
    if (dual) lists.z = x.address(x.z);
    if (factored) lists.factors = x.address(x.factors);
    steps::sgd(storage<Real, Dual>(), lists, step, 1);
    for (Index i = 0; i < n; i++) {
      const Weight right = sgd_by_definition(before.weight(i, factored), step, with_buffer, first, l1, l2, kept, dual), got = x.weight(i);
      CHECK_CLOSE(got.w, right.w, precision<Real>());
      CHECK_CLOSE(got.m, right.m, precision<Real>());
      if (dual) CHECK_CLOSE(got.z, right.z, precision<Dual>());
    }
    CHECK(std::memcmp(&x.w[n + x.offset], &before.w[n + x.offset], sizeof(Real)) == 0);
  }
}

}  // namespace

TEST("Adam's fused steps are their definitions, for every length and option") {
  for (const bool amsgrad : {false, true})
    for (const bool dual : {false, true})
      for (const bool decoupled : {false, true})
        for (const double l2 : {0.0, 0.3}) {
          const steps::AdamStep step{0.1, 0.9, 0.99, 1e-8, decoupled ? 0 : 0.1, decoupled ? 0.99 : 1, 0.9, amsgrad, dual || !decoupled};
          check_adam<float, float>(step, l2, amsgrad, dual);
          check_adam<Bfloat16, Bfloat16>(step, l2, amsgrad, dual);
          if (dual) check_adam<Bfloat16, float>(step, l2, amsgrad, dual);
        }
  check_adam<float, float>({0.1, 0.3, 0.99, 1e-8, 0, 1, 1, false, true}, 0, false, false);
}

TEST("the fused steps of gradient descent are their definitions, for every length and option") {
  for (const bool dual : {false, true})
    for (const bool with_buffer : {false, true})
      for (const bool first : {false, true})
        for (const bool nesterov : {false, true}) {
          const steps::SgdStep step{0.1, 0.9, nesterov ? 0.0 : 0.4, 0.1, dual ? 0.9 : 1.0, nesterov && with_buffer, first};
          check_sgd<float, float>(step, with_buffer, first, nesterov ? 0.3 : 0, dual);
          check_sgd<Bfloat16, Bfloat16>(step, with_buffer, first, 0, dual);
          if (dual) check_sgd<Bfloat16, float>(step, with_buffer, first, 0, dual);
        }
}

TEST("factors multiply both strengths of a weight, and 0 leaves it free") {
  for (const bool amsgrad : {false, true})
    for (const bool dual : {false, true})
      for (const double l2 : {0.0, 0.3}) {
        const steps::AdamStep step{0.1, 0.9, 0.99, 1e-8, 0.1, 1, 0.9, false, true};
        check_adam<float, float>(step, l2, amsgrad, dual, true);
        check_adam<Bfloat16, Bfloat16>(step, l2, amsgrad, dual, true);
        if (dual) check_adam<Bfloat16, float>(step, l2, amsgrad, dual, true);
      }
  for (const bool with_buffer : {false, true}) {
    check_sgd<float, float>({0.1, 0.9, 0, 0.1, 1, false, false}, with_buffer, false, 0.3, false, true);
    check_sgd<Bfloat16, Bfloat16>({0.1, 0.9, 0, 0.1, 1, false, false}, with_buffer, false, 0.3, false, true);
  }
}

TEST("penalties that bend are minimized where floors keep the steps short") {
  // floor 0.25: lr / d is at most 0.4, and the largest weights lie beyond gamma l1
  for (const Bend bend : {Bend::mcp, Bend::scad})
    for (const bool amsgrad : {false, true})
      for (const bool factored : {false, true})
        for (const double gamma : {1.9, 2.2}) {
          steps::AdamStep step{0.1, 0.9, 0.99, 1e-8, 0, 1, 1, false, true};
          step.bend = bend;
          step.gamma = gamma;
          check_adam<float, float>(step, 0, amsgrad, false, factored);
          check_adam<Bfloat16, Bfloat16>(step, 0, amsgrad, false, factored);
        }
}

TEST("a learning rate of zero moves neither weight, dual nor threshold") {
  Tensor<float, float> x(50, 0, 1);
  const Tensor<float, float> before = x;
  const steps::AdamTensors lists{x.address(x.w),         x.address(x.g), x.address(x.m), x.address(x.v), {},    x.address(x.z),
                                 x.address(x.threshold), {50},           {3.0},          {0.0},          {0.4}, {0.3}};
  // z is 0 where w is not: what a step leaves, and what this one must
  for (Index i = 0; i < 50; i++)
    if (x.w[i] == 0) x.z[i] *= 0.3f;
  const std::vector<float> z = x.z;
  steps::adam(Storage::float32, lists, {0, 0.9, 0.99, 1e-8, 0.1, 1, 0.9, false, true}, 1);
  CHECK(x.w == before.w);
  CHECK(x.z == z);
  CHECK(x.threshold == before.threshold);
  CHECK(x.m != before.m);
}

TEST("the bits and the sums are the same for every number of threads") {
  const std::vector<Index> sizes{200000, 1, 0, 330001, 77, 65536};
  std::vector<float> one;
  std::vector<double> one_sums;
  for (const int threads : {1, 2, 3}) {
    std::vector<Tensor<float, float>> tensors;
    for (const Index n : sizes) tensors.emplace_back(n, 0, static_cast<unsigned>(n));
    steps::AdamTensors lists;
    lists.sizes = sizes;
    for (auto& x : tensors) {
      lists.w.push_back(reinterpret_cast<Address>(x.w.data()));
      lists.g.push_back(reinterpret_cast<Address>(x.g.data()));
      lists.m.push_back(reinterpret_cast<Address>(x.m.data()));
      lists.v.push_back(reinterpret_cast<Address>(x.v.data()));
      lists.z.push_back(reinterpret_cast<Address>(x.z.data()));
      lists.threshold.push_back(reinterpret_cast<Address>(x.threshold.data()));
      lists.steps.push_back(2);
      lists.floors.push_back(0.1);
      lists.l1.push_back(0.3);
      lists.l2.push_back(0.1);
    }
    const auto sums = steps::adam(Storage::float32, lists, {0.1, 0.9, 0.99, 1e-8, 0, 1, 1, false, true}, threads);
    std::vector<float> all;
    for (const auto& x : tensors) all.insert(all.end(), x.w.begin(), x.w.end());
    if (threads == 1) one = all, one_sums = sums;
    CHECK(all == one);
    CHECK(sums == one_sums);
    CHECK(sums[2] == 0);
  }
}

TEST("each chunk is worked once, by as many threads as are asked for and worth it") {
  const std::vector<Index> sizes{steps::worth_a_thread * 3, 5};
  std::vector<char> seen(sizes[0] + sizes[1]);
  const auto sums = steps::over_chunks(sizes, 3, [&](std::size_t k, Index i, Index count) {
    for (Index j = i; j < i + count; j++) seen[k * sizes[0] + j]++;
    return static_cast<double>(count);
  });
  CHECK(std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(seen.size()));
  CHECK(sums[0] == static_cast<double>(sizes[0]) && sums[1] == 5);
}

TEST("lent threads are used where there are any, each for a member of its own") {
  static std::atomic<int> calls{0};
  team::lent() = [](void (*enter)(void*), void* data, unsigned threads, unsigned) {
    calls++;
    for (unsigned t = 1; t < threads; t++) std::thread(enter, data).join();
    enter(data);
  };
  std::vector<int> seen(4);
  team::together(4, [&](std::size_t member) { seen[member]++; });
  team::together(1, [&](std::size_t member) { seen[member]++; });
  CHECK(calls == 1);
  CHECK(seen == std::vector<int>({2, 1, 1, 1}));
  team::lent() = nullptr;
  team::together(4, [&](std::size_t member) { seen[member]++; });
  CHECK(calls == 1);
  CHECK(seen == std::vector<int>({3, 2, 2, 2}));
}

TEST("memory that two tensors share is noticed, memory that they only read is not") {
  const std::vector<Index> sizes{10, 10};
  const steps::Addresses apart{1000, 1040}, meeting{2000, 2036}, grads{4000, 4000}, on_weights{4000, 1076}, before_weights{964, 4000};
  CHECK(!steps::clash(Storage::float32, sizes, {&apart}, {}, grads));
  CHECK(steps::clash(Storage::float32, sizes, {&apart, &meeting}, {}, grads));
  CHECK(!steps::clash(Storage::bfloat16, sizes, {&apart, &meeting}, {}, grads));
  CHECK(steps::clash(Storage::mixed, sizes, {&apart}, {&meeting}, grads));
  CHECK(steps::clash(Storage::float32, sizes, {&apart}, {}, on_weights));
  CHECK(steps::clash(Storage::float32, sizes, {&apart}, {}, before_weights));
  CHECK(!steps::clash(Storage::float32, {10, 0}, {&apart}, {}, on_weights));
}

TEST("bfloat16 rounds to nearest, ties to even, and keeps infinities and what is not a number") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  // w - g with a step of 1: sums that lie between the neighbors 1, 1 + 1/128, 1 + 2/128
  const float one = 1, half = 1.0f / 256;
  const std::vector<std::vector<float>> cases{{one, half, 1},    {1 + 2 * half, half, 1 + 4 * half}, {one, half * 1.0078125f, 1 + 2 * half},
                                              {-one, -half, -1}, {one, infinity, infinity},          {3.3895e38f, 1e37f, infinity}};
  std::vector<Bfloat16> w, g;
  for (const auto& c : cases) w.push_back(narrow<Bfloat16>(c[0])), g.push_back(narrow<Bfloat16>(-c[1]));
  w.push_back(narrow<Bfloat16>(nan)), g.push_back(narrow<Bfloat16>(1));
  const auto address = [](auto& values) { return steps::Addresses{reinterpret_cast<Address>(values.data())}; };
  steps::sgd(Storage::bfloat16, {address(w), address(g), {}, {}, {static_cast<Index>(w.size())}, {false}, {0.0}, {0.0}, {}},
             {1, 0, 0, 0, 1, false, false}, 1);
  for (std::size_t k = 0; k < cases.size(); k++) CHECK(widen(w[k]) == cases[k][2]);
  CHECK(std::isnan(widen(w.back())));
}

TEST("a payload that rounding would carry into the sign leaves what is not a number as it is") {
  const std::uint32_t bits = 0x7fffffffu;
  float nan;
  std::memcpy(&nan, &bits, sizeof nan);
  std::vector<Bfloat16> w(20, narrow<Bfloat16>(0)), g(20, narrow<Bfloat16>(0));
  std::vector<float> z(20, nan);
  const auto address = [](auto& values) { return steps::Addresses{reinterpret_cast<Address>(values.data())}; };
  steps::sgd(Storage::mixed, {address(w), address(g), {}, address(z), {20}, {false}, {0.1}, {0.0}, {0.1}}, {1, 0, 0, 0, 1, false, false}, 1);
  for (const Bfloat16 x : w) CHECK(std::isnan(widen(x)));
}

TEST("without memory of gradients the first moment is the gradient, however large the moment was") {
  std::vector<float> w(20, 1), g(20, 0.1f), m(20, 1e9f), v(20, 1);
  const auto address = [](auto& values) { return steps::Addresses{reinterpret_cast<Address>(values.data())}; };
  const steps::AdamTensors lists{address(w), address(g), address(m), address(v), {}, {}, {}, {20}, {1.0}, {0.0}, {0.0}, {0.0}};
  steps::adam(Storage::float32, lists, {0.1, 0, 0.99, 1e-8, 0, 1, 1, false, true}, 1);
  CHECK(m == g);
}
