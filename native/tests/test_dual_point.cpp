#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/losses/logistic.hpp"
#include "shrinkage/restricted/dual_point.hpp"

using namespace shrinkage;

namespace {

constexpr int n = 37;

// Two classes and linear predictors shifted by `shift`; theta with the shortcut for an intercept alone, and without.
struct Points {
  std::vector<double> ones, y, v, eta, residual, curvature, level, general;

  explicit Points(double shift) : ones(n, 1.0), residual(n), curvature(n), level(n), general(n) {
    check::Random random(5);
    const std::vector<double> still(n, 0.0);
    std::vector<double> start;
    for (int i = 0; i < n; i++) {
      y.push_back(i % 3 == 0);
      v.push_back(i % 5 == 0 ? 0.0 : (1.5 + random.next()) / n);
      start.push_back(shift + random.next());
    }
    eta = start;
    Logistic loss;
    loss.rows = n;
    loss.y = y.data();
    loss.weights = v.data();
    loss.sweep(start.data(), still.data(), 0, 0, eta.data(), residual.data(), curvature.data());
    const FreeBlock free(n, 1, ones.data());
    DualPoint<Logistic>(free).point(loss, eta.data(), residual.data(), level.data(), true);
    DualPoint<Logistic>(free).point(loss, eta.data(), residual.data(), general.data(), false);
  }
};

}  // namespace

TEST("beside an intercept alone the dual point is that of any free block, and sums to zero") {
  for (double shift : {0.0, 0.8, 4.0}) {  // the last asks for several steps
    const Points points(shift);
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += points.level[i];
      CHECK_CLOSE(points.level[i], points.general[i], 1e-14);
    }
    CHECK_CLOSE(sum, 0.0, 1e-16);
  }
}

TEST("where no row has any curvature left the classes are balanced instead") {
  const Points points(800.0);
  double sum = 0;
  for (int i = 0; i < n; i++) {
    sum += points.level[i];
    CHECK(points.level[i] * (points.y[i] > 0.5 ? 1 : -1) >= 0);
    CHECK(std::fabs(points.level[i]) <= points.v[i]);
  }
  CHECK_CLOSE(sum, 0.0, 1e-16);
}
