#include <limits>

#include "check.hpp"
#include "shrinkage/groups.hpp"

using namespace shrinkage;
using steps::Address;

namespace {

// One tensor of (outer, groups, inner), with its steps and strengths.
template <class Real>
struct Case {
  Index outer, groups, inner;
  std::vector<Real> w, steps;
  std::vector<double> lams;
  double l1 = 0, l2 = 0;

  Case(Index o, Index g, Index i, double spread, unsigned seed) : outer(o), groups(g), inner(i) {
    check::Random random(seed);
    for (Index k = 0; k < o * g * i; k++) {
      w.push_back(static_cast<Real>(random.next() * std::exp(random.next())));
      steps.push_back(static_cast<Real>(0.1 * std::exp(spread * 1.7 * random.next())));
    }
    for (Index k = 0; k < g; k++) lams.push_back(std::fabs(2.5 * random.next()) * std::sqrt(static_cast<double>(o * i)));
  }

  Index position(Index group, Index k) const { return (k / inner * groups + group) * inner + k % inner; }

  void prox(double step, int threads = 1) {
    groups::Tensors x{
        {reinterpret_cast<Address>(w.data())}, {step < 0 ? reinterpret_cast<Address>(steps.data()) : 0}, {step}, {outer}, {groups}, {inner}, {lams}};
    groups::prox(sizeof(Real) == 8, x, l1, l2, threads);
  }
};

double soft(double z, double a) {
  return z > a ? z - a : z < -a ? z + a : 0;
}

// sum (z / (r + a))^2
double excess(const std::vector<double>& z, const std::vector<double>& a, double r) {
  double sum = 0;
  for (std::size_t i = 0; i < z.size(); i++)
    if (z[i] != 0) sum += z[i] / (r + a[i]) * (z[i] / (r + a[i]));
  return sum;
}

// The prox of one group by bisection on its norm, in double.
std::vector<double> by_definition(std::vector<double> z, const std::vector<double>& step, double lam, double l1, double l2) {
  std::vector<double> a;
  double high = 0;
  for (std::size_t i = 0; i < z.size(); i++) {
    z[i] = soft(z[i], step[i] * l1) / (1 + step[i] * l2);
    a.push_back(lam * step[i] / (1 + step[i] * l2));
    high += z[i] * z[i];
  }
  double low = 0;
  high = std::sqrt(high);
  if (lam == 0) return z;
  if (excess(z, a, 0) <= 1) return std::vector<double>(z.size());
  for (int k = 0; k < 200; k++) {
    const double middle = 0.5 * (low + high);
    (excess(z, a, middle) > 1 ? low : high) = middle;
  }
  for (std::size_t i = 0; i < z.size(); i++) z[i] = z[i] * high / (high + a[i]);
  return z;
}

template <class Real>
void check_case(Case<Real> x, double step) {
  const Case<Real> before = x;
  x.prox(step);
  const double eps = static_cast<double>(std::numeric_limits<Real>::epsilon());
  for (Index g = 0; g < x.groups; g++) {
    std::vector<double> z, steps;
    double length = 0;
    for (Index k = 0; k < x.outer * x.inner; k++) {
      z.push_back(static_cast<double>(before.w[before.position(g, k)]));
      steps.push_back(step < 0 ? static_cast<double>(before.steps[before.position(g, k)]) : step);
      length += z.back() * z.back();
    }
    const auto right = by_definition(z, steps, x.lams[g], x.l1, x.l2);
    double difference = 0;
    bool same_zeros = true;
    for (Index k = 0; k < x.outer * x.inner; k++) {
      const double got = static_cast<double>(x.w[x.position(g, k)]);
      difference += (got - right[k]) * (got - right[k]);
      same_zeros = same_zeros && (got == 0) == (right[k] == 0);
    }
    CHECK(same_zeros);
    CHECK(std::sqrt(difference) <= 8 * eps * std::sqrt(length));
  }
}

template <class Real>
void check_shapes() {
  const Index shapes[][3] = {{1, 5, 1},  {1, 7, 3},  {1, 70, 4},  {1, 3, 200}, {2, 5, 1},     {9, 67, 1}, {70, 33, 2},
                             {5, 21, 3}, {3, 4, 17}, {130, 3, 9}, {1, 1, 999}, {2100, 20, 1}, {3, 1, 64}};
  unsigned seed = 1;
  for (const auto& shape : shapes)
    for (const double spread : {0.0, 1.0, 3.0, 6.0})
      for (const double l2 : {0.0, 0.7}) {
        Case<Real> x(shape[0], shape[1], shape[2], spread, seed++);
        x.l2 = l2;
        x.l1 = l2 > 0 ? 0.1 : 0;
        check_case(x, -1);
        check_case(x, 0.2);
      }
}

}  // namespace

TEST("the prox of groups is its definition, for every shape, spread of steps and elementwise part") {
  check_shapes<float>();
  check_shapes<double>();
}

TEST("one strength for all groups is that strength for each") {
  Case<float> each(4, 9, 3, 1, 5), one = each;
  each.lams.assign(9, 0.8);
  one.lams = {0.8};
  each.prox(-1);
  one.prox(-1);
  CHECK(each.w == one.w);
}

TEST("a group on the edge is zero, and one just beyond it is not") {
  for (const double step : {-1.0, 0.25}) {
    Case<double> x(1, 3, 2, 0, 1);
    x.w = {3, 4, 3, 4, 3, 4};
    x.steps.assign(6, 0.25);
    x.lams = {20, std::nextafter(20, 0), std::nextafter(20, 30)};
    x.prox(step);
    CHECK(x.w[0] == 0 && x.w[1] == 0 && x.w[4] == 0 && x.w[5] == 0);
    CHECK(std::fabs(x.w[2]) < 1e-13 && std::fabs(x.w[3]) < 1e-13);
  }
}

TEST("in float32 too the edge is where it is, however many weights a group has") {
  for (Index k = 3; k <= 80; k++)
    for (const float other : {0.0f, 2.0f * static_cast<float>(k)}) {
      Case<float> x(1, 1, k * k, 0, 1);
      x.w.assign(x.w.size(), 1);
      x.steps.assign(x.w.size(), 1);
      x.lams = {std::nextafter(static_cast<float>(k), other)};
      x.prox(-1);
      CHECK((x.w[0] == 0) == (other > 0));
    }
}

TEST("a step or a strength of zero moves nothing") {
  Case<float> x(3, 8, 5, 1, 2);
  std::vector<float> start = x.w;
  for (std::size_t k = 0; k < x.w.size(); k += 2) x.steps[k] = 0;
  x.l1 = 0.1, x.l2 = 0.3;
  x.prox(-1);
  for (std::size_t k = 0; k < x.w.size(); k += 2) CHECK(x.w[k] == start[k]);
  start = x.w;
  x.prox(0);
  CHECK(x.w == start);
  x.l1 = x.l2 = 0;
  x.lams = {0};
  x.prox(-1);
  CHECK(x.w == start);
}

TEST("the unit of the weights and steps does not matter, huge or tiny") {
  for (const float unit : {0x1p-100f, 0x1p-130f, 0x1p100f, 0x1p120f}) {
    Case<float> x(2, 6, 30, 1, 3), scaled = x;
    // Numbers that a subnormal unit keeps.
    for (std::size_t k = 0; k < x.w.size(); k++) {
      x.w[k] = std::round(x.w[k] * 64) / 64, x.steps[k] = std::round(x.steps[k] * 512) / 512;
      scaled.w[k] = unit * x.w[k], scaled.steps[k] = unit * x.steps[k];
    }
    x.prox(-1);
    scaled.prox(-1);
    for (std::size_t k = 0; k < x.w.size(); k++) {
      CHECK((scaled.w[k] == 0) == (x.w[k] == 0) || unit < 1e-37f);
      CHECK(std::fabs(scaled.w[k] / unit - x.w[k]) <= 1e-5f + (unit < 1e-37f ? 0x1p-18f : 0));
    }
  }
}

TEST("what is not finite stays NaN where it is, and the rest of its group is zero") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const double step : {-1.0, 0.1})
    for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
      Case<float> x(2, 3, 2, 0, 4), clean = x;
      x.w[x.position(1, 2)] = bad;
      x.prox(step);
      clean.prox(step);
      for (Index k = 0; k < 4; k++) {
        CHECK(k == 2 ? std::isnan(x.w[x.position(1, k)]) : x.w[x.position(1, k)] == 0);
        CHECK(x.w[x.position(0, k)] == clean.w[x.position(0, k)]);
      }
    }
}

TEST("the bits are the same for every number of threads") {
  for (const Index inner : {1, 2, 300}) {
    Case<float> one(inner == 300 ? 1 : 300, 3001, inner, 1, 6), three = one;
    one.prox(-1, 1);
    three.prox(-1, 3);
    CHECK(one.w == three.w);
  }
}

TEST("an empty tensor is none") {
  Case<float> x(0, 5, 3, 1, 7), y(3, 0, 5, 1, 7);
  x.prox(-1);
  y.prox(-1);
  CHECK(x.w.empty() && y.w.empty());
}
