#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/concave_descent.hpp"

using namespace shrinkage;

namespace {

// A quadratic of rows x columns data; the last columns repeat the first.
struct Data {
  int size;
  std::vector<double> H, c, factors;

  Data(int n, int p, unsigned seed, int duplicates = 0) : size(p), H(p * p), c(p), factors(p) {
    check::Random random(seed);
    auto X = random.vector(n * p);
    for (int d = 0; d < duplicates; d++) std::copy_n(&X[d * n], n, &X[(p - 1 - d) * n]);
    const auto y = random.vector(n);
    for (int j = 0; j < p; j++) {
      factors[j] = 1 + 0.5 * random.next();
      for (int i = 0; i < n; i++) c[j] += 3 * X[j * n + i] * y[i] / n;
      for (int k = 0; k < p; k++)
        for (int i = 0; i < n; i++) H[k * p + j] += 3 * X[j * n + i] * X[k * n + i] / n;
    }
  }

  template <class Penalty>
  double objective(const Penalty& penalty, double alpha, const std::vector<double>& u) const {
    double value = 0;
    for (int j = 0; j < size; j++) {
      value += penalty.value(std::fabs(u[j]), alpha * factors[j]) - c[j] * u[j];
      for (int k = 0; k < size; k++) value += 0.5 * u[j] * H[k * size + j] * u[k];
    }
    return value;
  }

  // The largest violation of the conditions, from one-sided differences of the objective.
  template <class Penalty>
  double violation(const Penalty& penalty, double alpha, std::vector<double> u) const {
    const double at = objective(penalty, alpha, u), h = 1e-6;
    double most = 0;
    for (int j = 0; j < size; j++)
      for (double sign : {-1.0, 1.0}) {
        const double old = u[j];
        u[j] = old + sign * h;
        most = std::max(most, (at - objective(penalty, alpha, u)) / h);
        u[j] = old;
      }
    return most;
  }
};

template <class Penalty>
void check_path(const Penalty& penalty, const Data& data) {
  std::vector<double> u(data.size, 0.0);
  for (double alpha = 1; alpha > 0.02; alpha *= 0.7) {
    const double before = data.objective(penalty, alpha, u);
    ConcaveDescent<Penalty> solver(penalty, data.H.data(), data.size, data.c.data(), data.factors.data(), data.size);
    CHECK(solver.solve(alpha, 1e-10, 5000, u.data()) < 5000);
    CHECK(solver.largest_lack() <= 1e-10);
    CHECK(data.violation(penalty, alpha, u) <= 1e-5);
    CHECK(data.objective(penalty, alpha, u) <= before + 1e-12);
    CHECK_CLOSE(solver.objective(u.data()), data.objective(penalty, alpha, u), 1e-9);
  }
}

template <class Penalty>
void check_least(const Penalty& penalty) {
  for (double h : {0.05, 0.3, 0.36, 0.5, 1.0, 4.0})
    for (double z = 0; z < 8; z += 0.37) {
      const double u = penalty.least(z, h, 0.8), at = 0.5 * h * u * u - z * u + penalty.value(u, 0.8);
      for (double v = 0; v < 200; v += v < 20 ? 0.01 : 1.0) CHECK(at <= 0.5 * h * v * v - z * v + penalty.value(v, 0.8) + 1e-12);
    }
}

}  // namespace

TEST("a coordinate is minimized globally, at any curvature") {
  check_least(Mcp{3.0});
  check_least(Scad{3.7});
}

TEST("every strength ends at a stationary point no higher than its start") {
  for (unsigned seed = 0; seed < 4; seed++) {
    check_path(Mcp{3.0}, Data(30, 12, seed));
    check_path(Scad{3.7}, Data(30, 12, seed));
    check_path(Mcp{1.2}, Data(8, 20, seed));
  }
}

TEST("columns that repeat each other and columns of zeros do no harm") {
  check_path(Mcp{3.0}, Data(20, 10, 5, 3));
  Data data(20, 10, 6, 3);
  for (int k = 0; k < 10; k++) data.H[k * 10 + 4] = data.H[4 * 10 + k] = 0;
  data.c[4] = 0;
  check_path(Scad{3.7}, data);
}

TEST("where nothing is penalized beyond its bend, the answer is that of least squares") {
  const Data data(40, 6, 9);
  std::vector<double> u(6, 0.0);
  ConcaveDescent<Mcp> solver({3.0}, data.H.data(), 6, data.c.data(), data.factors.data(), 6);
  solver.solve(1e-6, 1e-13, 5000, u.data());
  for (int j = 0; j < 6; j++) {
    double gradient = -data.c[j];
    for (int k = 0; k < 6; k++) gradient += data.H[k * 6 + j] * u[k];
    CHECK_CLOSE(gradient, 0.0, 1e-12);
  }
}
