#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/active_set.hpp"

using namespace shrinkage;

namespace {

// Rows x columns data with its quadratic: gram = X'X, linear = X'y, l1 and l2 in [0.5, 1.5).
struct Data {
  int rows, columns;
  std::vector<double> X, gram, linear, l1, l2;

  Data(int n, int p, unsigned seed, int duplicates = 0) : rows(n), columns(p), gram(p * p), linear(p), l1(p), l2(p) {
    check::Random random(seed);
    X = random.vector(n * p);
    for (int d = 0; d < duplicates; d++) std::copy_n(&X[d * n], n, &X[(p - 1 - d) * n]);
    const auto y = random.vector(n);
    for (int j = 0; j < p; j++) {
      l1[j] = 1 + 0.5 * random.next();
      l2[j] = 1 + 0.5 * random.next();
      for (int i = 0; i < n; i++) linear[j] += X[j * n + i] * y[i];
      for (int k = 0; k < p; k++)
        for (int i = 0; i < n; i++) gram[k * p + j] += X[j * n + i] * X[k * n + i];
    }
  }

  Quadratic quadratic(double ridge) const {
    Quadratic q;
    q.gram = gram.data();
    q.ld = columns;
    q.size = columns;
    q.linear = linear.data();
    q.l1 = l1.data();
    q.l2 = l2.data();
    q.ridge = ridge;
    return q;
  }

  double largest_strength() const {
    double most = 0;
    for (int j = 0; j < columns; j++) most = std::max(most, std::fabs(linear[j]) / l1[j]);
    return most;
  }
};

std::vector<double> dense(const ActiveSet& set, int size) {
  std::vector<double> v(size);
  for (int i = 0; i < set.support_size(); i++) v[set.support()[i]] = set.coefficients()[i];
  return v;
}

// c - Hv from the definition of the quadratic
std::vector<double> gradient_at(const Quadratic& q, const std::vector<double>& v) {
  std::vector<double> g(q.linear, q.linear + q.size), product(q.rank);
  for (int i = 0; i < q.rank; i++)
    for (int k = 0; k < q.size; k++) product[i] += q.low_rank[k * q.ld_low_rank + i] * v[k];
  for (int j = 0; j < q.size; j++) {
    for (int k = 0; k < q.size; k++) g[j] -= q.scale * q.gram[k * q.ld + j] * v[k];
    for (int i = 0; i < q.rank; i++) g[j] += q.low_rank[j * q.ld_low_rank + i] * product[i];
    g[j] -= q.curvature_of_ridge(j) * v[j];
  }
  return g;
}

// v is the minimizer: its gradient is strength l1 sign(v) on the support and no larger elsewhere.
void check_minimizes(const Quadratic& q, const std::vector<double>& v, double strength, double tol = 1e-8) {
  const auto g = gradient_at(q, v);
  for (int j = 0; j < q.size; j++) {
    const double limit = strength * q.l1[j];
    if (v[j] != 0)
      CHECK_CLOSE(g[j], v[j] > 0 ? limit : -limit, tol);
    else
      CHECK(std::fabs(g[j]) <= limit * (1 + tol) + tol);
  }
}

void walk(const Data& data, const Quadratic& q, ActiveSet& set) {
  set.attach(q);
  for (double strength = data.largest_strength(); strength > 1e-3 * data.largest_strength(); strength *= 0.8) {
    set.solve(strength, 1e-9);
    check_minimizes(q, dense(set, q.size), strength);
  }
}

}  // namespace

TEST("every strength of a path satisfies its optimality conditions, tall, square and with a ridge") {
  const int shapes[][2] = {{40, 12}, {20, 20}, {60, 40}};
  for (unsigned seed = 0; seed < 6; seed++)
    for (const auto& shape : shapes)
      for (const double ridge : {0.0, 0.3}) {
        const Data data(shape[0], shape[1], seed);
        ActiveSet set;
        walk(data, data.quadratic(ridge), set);
      }
}

TEST("the strength that zeroes everything leaves nothing in the support") {
  const Data data(30, 10, 1);
  ActiveSet set;
  set.attach(data.quadratic(0));
  set.solve(data.largest_strength(), 1e-9);
  CHECK(set.support_size() == 0);
  set.solve(0.99 * data.largest_strength(), 1e-9);
  CHECK(set.support_size() > 0);
}

TEST("with more columns than rows the support stays within the rank and optimality still holds") {
  for (unsigned seed = 0; seed < 6; seed++) {
    const Data data(10, 30, seed);
    ActiveSet set;
    set.set_max_support(10);
    const Quadratic q = data.quadratic(0);
    set.attach(q);
    for (double strength = data.largest_strength(); strength > 1e-3 * data.largest_strength(); strength *= 0.8) {
      set.solve(strength, 1e-9);
      CHECK(set.support_size() <= 10);
      check_minimizes(q, dense(set, q.size), strength, 1e-6);
    }
  }
}

TEST("duplicated columns do not break optimality") {
  for (unsigned seed = 0; seed < 6; seed++) {
    const Data data(40, 14, seed, 4);
    ActiveSet set;
    walk(data, data.quadratic(0), set);
  }
}

TEST("a far jump reaches the same minimizer as the path down to it") {
  const Data data(50, 25, 7);
  const double strength = 1e-3 * data.largest_strength();
  ActiveSet walked, jumped;
  walk(data, data.quadratic(0.1), walked);
  walked.solve(strength, 1e-10);
  jumped.attach(data.quadratic(0.1));
  jumped.solve_continued(strength, 1e-10);
  const auto a = dense(walked, 25), b = dense(jumped, 25);
  for (int j = 0; j < 25; j++) CHECK_CLOSE(a[j], b[j], 1e-8);
}

TEST("rows left out by a low-rank correction give the minimizer on the other rows") {
  const Data data(40, 12, 8);
  const int held = 6;
  Data fold(40, 12, 8);
  std::vector<double> held_out(held * 12);
  for (int j = 0; j < 12; j++)
    for (int i = 0; i < held; i++) held_out[j * held + i] = data.X[j * 40 + i];
  for (int j = 0; j < 12; j++)
    for (int k = 0; k < 12; k++)
      for (int i = 0; i < held; i++) fold.gram[k * 12 + j] -= data.X[j * 40 + i] * data.X[k * 40 + i];
  Quadratic corrected = data.quadratic(0.05);
  corrected.low_rank = held_out.data();
  corrected.rank = held;
  corrected.ld_low_rank = held;
  ActiveSet by_correction, by_gram;
  walk(data, corrected, by_correction);
  walk(fold, fold.quadratic(0.05), by_gram);
  const auto a = dense(by_correction, 12), b = dense(by_gram, 12);
  for (int j = 0; j < 12; j++) CHECK_CLOSE(a[j], b[j], 1e-8);
}

TEST("a working set that grows between strengths, and a linear part that changes, are noticed") {
  for (const double ridge : {0.0, 0.3}) {
    const Data data(60, 40, 10);
    Quadratic q = data.quadratic(ridge);
    ActiveSet set;
    double strength = data.largest_strength();
    for (q.size = 10; q.size <= 40; q.size += 6) {
      set.attach(q);
      for (int t = 0; t < 3; t++, strength *= 0.8) set.solve_continued(strength, 1e-9);
      check_minimizes(q, dense(set, q.size), strength / 0.8);
    }
    q.size = 40;
    auto other = data.linear;
    for (double& c : other) c = 0.3 * c - 0.1;
    q.linear = other.data();
    set.attach(q);
    set.solve_continued(strength, 1e-9);
    check_minimizes(q, dense(set, q.size), strength);
  }
}

TEST("a restart from the answer is already there") {
  const Data data(40, 15, 9);
  const double strength = 0.1 * data.largest_strength();
  const Quadratic q = data.quadratic(0.2);
  ActiveSet set, again;
  set.attach(q);
  set.solve_continued(strength, 1e-10);
  const auto v = dense(set, 15);
  again.restart(q, v.data(), strength);
  CHECK(again.solve(strength, 1e-8) <= 2);
  const auto w = dense(again, 15);
  for (int j = 0; j < 15; j++) CHECK_CLOSE(w[j], v[j], 1e-10);
}

TEST("strength zero ends at a minimizer without a penalty, of independent, dependent and duplicated columns, and can be left again") {
  const int shapes[][3] = {{40, 12, 0}, {20, 20, 0}, {10, 60, 0}, {40, 14, 4}};
  for (unsigned seed = 0; seed < 6; seed++)
    for (const auto& shape : shapes)
      for (const double ridge : {0.0, 0.3})
        for (const double faint : {0.0, 1e-300, 1e-16}) {
          const Data data(shape[0], shape[1], seed, shape[2]);
          const Quadratic q = data.quadratic(ridge);
          ActiveSet set;
          if (ridge == 0) set.set_max_support(std::min(shape[0], shape[1] - shape[2]));
          set.attach(q);
          set.solve_continued(faint, 1e-9);
          for (double slope : gradient_at(q, dense(set, q.size))) CHECK_CLOSE(slope, 0, 1e-7);
          const double strength = 0.3 * data.largest_strength();
          set.solve_continued(strength, 1e-9);
          check_minimizes(q, dense(set, q.size), strength, 1e-6);
        }
}

TEST("columns without any correlation are solved at strength zero by nothing") {
  Data data(20, 5, 1);
  std::fill(data.linear.begin(), data.linear.end(), 0.0);
  ActiveSet set;
  set.attach(data.quadratic(0));
  set.solve_continued(0.0, 1e-9);
  CHECK(set.support_size() == 0);
}

TEST("a ridge that falls with the strength, on supports where one factor serves several, with rows left out and a working set that grows") {
  for (unsigned seed = 0; seed < 4; seed++)
    for (const int held : {0, 7}) {
      const Data data(120, 300, seed);
      std::vector<double> left_out(held * 300);
      for (int j = 0; j < 300; j++)
        for (int i = 0; i < held; i++) left_out[j * held + i] = data.X[j * 120 + i];
      ActiveSet set;
      Quadratic q = data.quadratic(0);
      if (held) {
        q.low_rank = left_out.data();
        q.rank = q.ld_low_rank = held;
      }
      int largest = 0;
      q.size = 200;
      for (double strength = 0.97 * data.largest_strength(); strength > 1e-3 * data.largest_strength(); strength *= 0.94) {
        q.ridge = 0.5 * strength;
        if (strength < 0.3 * data.largest_strength()) q.size = 300;
        set.attach(q);
        set.solve(strength, 1e-8);
        largest = std::max(largest, set.support_size());
        check_minimizes(q, dense(set, q.size), strength, 1e-7);
      }
      CHECK(largest > 100);
      CHECK(set.repairs() == 0);
    }
}
