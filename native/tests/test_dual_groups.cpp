#include <limits>

#include "check.hpp"
#include "shrinkage/groups.hpp"

using namespace shrinkage;
using steps::Address;

namespace {

// One tensor of (outer, groups, inner) with its state, moved by u with steps.
template <class Real>
struct Case {
  Index outer, groups, inner;
  std::vector<Real> w, z, sum1, sum, u, steps;
  std::vector<double> lams;
  double l1 = 0, l2 = 0, memory = 0.9;
  bool sparse = false;

  Case(Index o, Index g, Index i, double spread, unsigned seed) : outer(o), groups(g), inner(i) {
    check::Random random(seed);
    for (Index k = 0; k < o * g * i; k++) {
      w.push_back(static_cast<Real>(random.next() * std::exp(random.next())));
      u.push_back(static_cast<Real>(0.3 * random.next()));
      steps.push_back(static_cast<Real>(0.1 * std::exp(spread * 1.7 * random.next())));
    }
    z.assign(w.size(), 0), sum1.assign(w.size(), 0), sum.assign(w.size(), 0);
    for (Index k = 0; k < g; k++) lams.push_back(std::fabs(2.5 * random.next()) * std::sqrt(static_cast<double>(o * i)));
  }

  Index position(Index group, Index k) const { return (k / inner * groups + group) * inner + k % inner; }

  void move(double step, int threads = 1) {
    const auto at = [](std::vector<Real>& x) { return reinterpret_cast<Address>(x.data()); };
    const groups::Tensors x{{at(w)}, {step < 0 ? at(steps) : 0}, {step}, {outer}, {groups}, {inner}, {lams}};
    const groups::Duals d{{at(z)}, sparse ? groups::Addresses{at(sum1)} : groups::Addresses{}, {at(sum)}, {at(u)}};
    groups::dual(sizeof(Real) == 8, x, d, l1, l2, memory, threads);
  }
};

double soft(double z, double a) {
  return z > a ? z - a : z < -a ? z + a : 0;
}

// Dual averaging as the books have it, with z itself and both sums as the state, in double.
struct Classical {
  std::vector<double> w, z;
  double sum1 = 0, sum = 0;  // of one group

  void move(const std::vector<double>& u, double step, double lam, double l1, double l2, double memory) {
    double size = 0, length = 0;
    for (const double x : w) size += x * x;
    for (std::size_t i = 0; i < w.size(); i++) {
      const double sign = w[i] > 0 ? 1 : -1, unit = size > 0 ? w[i] / std::sqrt(size) : 0;
      z[i] = (w[i] != 0 ? w[i] + memory * (sign * sum1 + sum * unit) : memory * z[i]) + u[i];
    }
    sum1 = memory * sum1 + step * l1, sum = memory * sum + step * lam;
    for (std::size_t i = 0; i < w.size(); i++) w[i] = soft(z[i], sum1), length += w[i] * w[i];
    for (double& x : w) x *= length > 0 ? std::fmax(1 - sum / std::sqrt(length), 0) / (1 + step * l2) : 0;
  }
};

template <class Real>
void check_run(Case<Real> x, double step) {
  std::vector<Classical> right(static_cast<std::size_t>(x.groups));
  std::vector<double> moved(x.w.size());
  const Index size = x.outer * x.inner;
  for (Index g = 0; g < x.groups; g++)
    for (Index k = 0; k < size; k++) right[g].w.push_back(static_cast<double>(x.w[x.position(g, k)])), right[g].z.push_back(0);
  const double eps = static_cast<double>(std::numeric_limits<Real>::epsilon());
  for (int round = 0; round < 3; round++) {
    for (Index g = 0; g < x.groups; g++) {
      double squares = 0, one = step;
      for (Index k = 0; k < size; k++) squares += 1 / std::pow(static_cast<double>(x.steps[x.position(g, k)]), 2);
      if (step < 0) one = 1 / std::sqrt(squares / static_cast<double>(size));
      std::vector<double> u;
      for (Index k = 0; k < size; k++) {
        const Index at = x.position(g, k);
        u.push_back(static_cast<double>(x.u[at]) * (step < 0 ? one / static_cast<double>(x.steps[at]) : 1));
      }
      right[g].move(u, one, x.lams[g], x.l1, x.l2, x.memory);
    }
    x.move(step);
    for (Index g = 0; g < x.groups; g++) {
      double difference = 0, scale = right[g].sum;
      for (Index k = 0; k < size; k++) {
        const Index at = x.position(g, k);
        difference += std::pow(static_cast<double>(x.w[at]) - right[g].w[k], 2), scale += std::fabs(right[g].z[k]);
        CHECK(x.w[at] == 0 || x.z[at] == 0);
        CHECK(std::fabs(static_cast<double>(x.sum[at]) - right[g].sum) <= 8 * eps * right[g].sum);
      }
      CHECK(std::sqrt(difference) <= 40 * eps * scale);
    }
  }
}

template <class Real>
void check_shapes() {
  const Index shapes[][3] = {{1, 5, 1},  {1, 7, 3},  {1, 70, 4},  {1, 3, 200}, {2, 5, 1},     {9, 67, 1}, {70, 33, 2},
                             {5, 21, 3}, {3, 4, 17}, {130, 3, 9}, {1, 1, 999}, {2100, 20, 1}, {3, 1, 64}};
  unsigned seed = 1;
  for (const auto& shape : shapes)
    for (const double spread : {0.0, 1.0, 3.0})
      for (const bool sparse : {false, true}) {
        Case<Real> x(shape[0], shape[1], shape[2], spread, seed++);
        x.sparse = sparse;
        x.l1 = sparse ? 0.2 : 0, x.l2 = sparse ? 0.7 : 0;
        check_run(x, -1);
        check_run(x, 0.2);
      }
}

}  // namespace

TEST("a step of groups is dual averaging as it is defined, for every shape, spread of steps and elementwise part") {
  check_shapes<float>();
  check_shapes<double>();
}

TEST("a group of zeros waits until its sum of gradients is longer than that of the strengths") {
  Case<double> x(1, 1, 2, 0, 1);
  x.w = {0, 0}, x.u = {3, 4}, x.lams = {60}, x.memory = 1;
  x.sum = {10, 10};
  for (const double length : {5.0, 10.0, 15.0}) {
    x.move(0.05);  // Gamma grows by 3 a step, ||z|| by 5: 13, 16, 19
    CHECK(x.w[0] == 0 && x.w[1] == 0);
    CHECK(std::fabs(std::hypot(x.z[0], x.z[1]) - length) < 1e-14 * length);
  }
  x.move(0.05);
  CHECK(x.w[0] == 0);  // 20 < 22
  x.move(0.05);
  CHECK(std::fabs(x.w[0]) < 1e-13);  // 25 = 25, the edge
  x.move(0.05);
  CHECK(x.w[0] > 0.5 && std::fabs(x.w[1] / x.w[0] - 4.0 / 3.0) < 1e-12);  // 30 - 28
}

TEST("what is not finite stays NaN where it is, and the rest of its group is zero") {
  for (const bool sparse : {false, true})
    for (const double step : {-1.0, 0.1}) {
      Case<float> x(2, 3, 2, 0, 4);
      x.sparse = sparse;
      Case<float> clean = x;
      x.u[x.position(1, 2)] = std::numeric_limits<float>::quiet_NaN();
      x.move(step);
      clean.move(step);
      for (Index k = 0; k < 4; k++) {
        CHECK(k == 2 ? std::isnan(x.w[x.position(1, k)]) : x.w[x.position(1, k)] == 0);
        CHECK(x.w[x.position(0, k)] == clean.w[x.position(0, k)]);
      }
    }
}

TEST("the bits of dual averaging are the same for every number of threads") {
  for (const Index inner : {1, 2, 300}) {
    Case<float> one(inner == 300 ? 1 : 300, 3001, inner, 1, 6), three = one;
    one.move(-1, 1);
    three.move(-1, 3);
    CHECK(one.w == three.w && one.z == three.z && one.sum == three.sum);
  }
}

TEST("an empty tensor takes no step") {
  Case<float> x(0, 5, 3, 1, 7), y(3, 0, 5, 1, 7);
  x.move(-1);
  y.move(-1);
  CHECK(x.w.empty() && y.w.empty());
}
