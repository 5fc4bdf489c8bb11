#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/sorted_descent.hpp"

using namespace shrinkage;

namespace {

// A quadratic of rows x columns data with correlated columns; the last columns repeat the first.
struct Data {
  int size;
  std::vector<double> H, c, weights;

  Data(int n, int p, unsigned seed, int duplicates = 0) : size(p), H(p * p), c(p), weights(p) {
    check::Random random(seed);
    auto X = random.vector(n * p);
    for (int j = 1; j < p; j++)
      for (int i = 0; i < n; i++) X[j * n + i] += 0.7 * X[(j - 1) * n + i];
    for (int d = 0; d < duplicates; d++) std::copy_n(&X[d * n], n, &X[(p - 1 - d) * n]);
    const auto y = random.vector(n);
    for (int j = 0; j < p; j++) {
      weights[j] = 1.0 - 0.8 * j / p;
      for (int i = 0; i < n; i++) c[j] += 3 * X[j * n + i] * y[i] / n;
      for (int k = 0; k < p; k++)
        for (int i = 0; i < n; i++) H[k * p + j] += 3 * X[j * n + i] * X[k * n + i] / n;
    }
  }

  double objective(double alpha, const std::vector<double>& u) const {
    double value = alpha * SortedL1(weights.data()).value(size, u.data());
    for (int j = 0; j < size; j++) {
      value -= c[j] * u[j];
      for (int k = 0; k < size; k++) value += 0.5 * u[j] * H[k * size + j] * u[k];
    }
    return value;
  }
};

void check_path(const Data& data) {
  std::vector<double> u(data.size, 0.0);
  check::Random random(7);
  SortedDescent solver(data.H.data(), data.size, data.c.data(), data.weights.data(), data.size);
  for (double alpha = 1; alpha > 0.01; alpha *= 0.6) {
    const int steps = solver.solve(alpha, 1e-9, 5000, u.data());
    CHECK(steps < 5000);
    const double least = data.objective(alpha, u);
    CHECK_CLOSE(solver.objective(u.data()), least, 1e-9);
    for (int trial = 0; trial < 50; trial++) {
      auto other = u;
      const auto move = random.vector(data.size);
      const double length = std::pow(10.0, -(trial % 5));
      for (int j = 0; j < data.size; j++) other[j] += length * move[j] * (trial % 2 ? std::fabs(u[j]) : 1.0);
      CHECK(data.objective(alpha, other) >= least - 1e-8);
    }
  }
}

}  // namespace

TEST("the prox has the subgradient that it asks for") {
  check::Random random(3);
  for (int trial = 0; trial < 200; trial++) {
    const int size = 1 + trial % 9;
    auto v = random.vector(size);
    std::vector<double> lam(size), w(size), z(size);
    for (int k = 0; k < size; k++) lam[k] = 0.6 / (k + 1);
    if (size > 2) v[1] = -v[0];
    SortedL1 penalty(lam.data());
    penalty.prox(size, v.data(), 0.7, w.data());
    for (int j = 0; j < size; j++) z[j] = (v[j] - w[j]) / 0.7;
    CHECK(penalty.violation(size, w.data(), z.data()) <= 1e-13);
    if (w[0] == 0) continue;
    z[0] += 0.3;
    CHECK(penalty.violation(size, w.data(), z.data()) > 0.01);
  }
}

TEST("equal weights are soft thresholds") {
  const std::vector<double> lam(4, 0.5), v = {1.0, -0.2, 0.7, -2.0};
  std::vector<double> w(4);
  SortedL1(lam.data()).prox(4, v.data(), 1.0, w.data());
  CHECK_CLOSE(w[0], 0.5, 1e-15);
  CHECK(w[1] == 0);
  CHECK_CLOSE(w[2], 0.2, 1e-15);
  CHECK_CLOSE(w[3], -1.5, 1e-15);
}

TEST("every strength ends at the minimum") {
  for (unsigned seed = 0; seed < 5; seed++) {
    check_path(Data(40, 12, seed));
    check_path(Data(15, 30, seed));
  }
}

TEST("columns that repeat each other, and columns of zeros, do no harm") {
  check_path(Data(20, 10, 5, 3));
  Data data(20, 10, 6, 2);
  for (int k = 0; k < 10; k++) data.H[k * 10 + 4] = data.H[4 * 10 + k] = 0;
  data.c[4] = 0;
  check_path(data);
}
