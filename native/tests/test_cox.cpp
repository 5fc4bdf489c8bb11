#include "shrinkage/losses/cox.hpp"

#include <vector>

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/prox_newton.hpp"

using namespace shrinkage;

namespace {

const std::vector<double> times{5, 3, 3, 3, 1, 2, 2, 4, 6, 1}, events{0, 1, 1, 0, 0, 1, 1, 1, 1, 0}, strata{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
const std::vector<double> weights{0.1, 0.05, 0.15, 0.1, 0.1, 0.2, 0.1, 0, 0.1, 0.1};
constexpr Index n = 10;

Cox cox(bool efron) {
  Cox loss;
  loss.rows = n;
  loss.sets = std::make_shared<const RiskSets>(n, times.data(), events.data(), strata.data(), weights.data(), efron);
  loss.weights = loss.sets->weights.data();
  return loss;
}

double by_definition(const std::vector<double>& eta, bool efron) {
  double total = 0;
  for (int i = 0; i < n; i++) {
    if (!(events[i] > 0) || !(weights[i] > 0)) continue;
    double all = 0, dying = 0, mass = 0;
    int many = 0, place = 0;
    for (int j = 0; j < n; j++) {
      if (strata[j] != strata[i] || times[j] < times[i] || !(weights[j] > 0)) continue;
      all += weights[j] * std::exp(eta[j]);
      if (times[j] > times[i] || !(events[j] > 0)) continue;
      dying += weights[j] * std::exp(eta[j]);
      mass += weights[j];
      place += j < i;
      many++;
    }
    const double out = efron ? static_cast<double>(place) / many : 0;
    total += mass / many * std::log((all - out * dying) / (mass * (1 - out))) - weights[i] * eta[i];
  }
  return total;
}

std::vector<double> some(double size, int seed) {
  std::vector<double> eta(n);
  for (int i = 0; i < n; i++) eta[i] = size * std::sin(1.7 * (i + 1) * (seed + 1));
  return eta;
}

struct Swept {
  std::vector<double> moved = std::vector<double>(n), residual = moved, curvature = moved;
  Swept(const Cox& loss, const std::vector<double>& eta) {
    const std::vector<double> still(n, 0.0);
    loss.sweep(eta.data(), still.data(), 0, 0, moved.data(), residual.data(), curvature.data());
  }
};

}  // namespace

TEST("the value is that of its definition") {
  for (bool efron : {false, true})
    for (double size : {0.0, 1.0, 4.0}) CHECK_CLOSE(cox(efron).value(some(size, 0).data()), by_definition(some(size, 0), efron), 1e-13);
}

TEST("residuals are differences of the value, and curvatures of the residuals along a step") {
  for (bool efron : {false, true}) {
    const Cox loss = cox(efron);
    const std::vector<double> eta = some(1.5, 1), step = some(1, 2);
    const double h = 1e-5;
    std::vector<double> up(eta), down(eta);
    for (int i = 0; i < n; i++) up[i] += h * step[i], down[i] -= h * step[i];
    const Swept at(loss, eta), above(loss, up), below(loss, down);
    double slope = 0, bend = 0;
    for (int i = 0; i < n; i++) slope -= at.residual[i] * step[i], bend += (below.residual[i] - above.residual[i]) / (2 * h) * step[i];
    CHECK_CLOSE((loss.value(up.data()) - loss.value(down.data())) / (2 * h), slope, 1e-9);
    CHECK_CLOSE(loss.bend(eta.data(), step.data(), at.curvature.data()), bend, 1e-9);
  }
}

TEST("far predictors leave everything finite") {
  for (bool efron : {false, true})
    for (double size : {1e3, 1e6})
      for (int seed = 0; seed < 6; seed++) {
        const Cox loss = cox(efron);
        const std::vector<double> eta = some(size, seed);
        const Swept at(loss, eta);
        CHECK(std::isfinite(loss.value(eta.data())));
        for (int i = 0; i < n; i++) CHECK(std::isfinite(at.residual[i]) && at.curvature[i] >= 0 && std::isfinite(at.curvature[i]));
      }
}

TEST("rows censored before any death of their stratum carry no weight") {
  const Cox loss = cox(false);
  CHECK(loss.weights[4] == 0 && loss.weights[9] == 0 && loss.weights[0] == 0.1);
  CHECK(loss.sets->strata == 2);
  CHECK(loss.sets->order.size() == 7);
}

TEST("a dual point is orthogonal to the free columns and bounds the value from below") {
  for (bool efron : {false, true}) {
    const Cox loss = cox(efron);
    const std::vector<double> z = some(1, 3), eta = some(0.5, 4);
    const FreeBlock free(n, 1, z.data());
    DualPoint<Cox> dual(free);
    std::vector<double> theta(n);
    const double bound = dual.point(loss, eta.data(), Swept(loss, eta).residual.data(), theta.data(), false);
    double along = 0;
    for (int i = 0; i < n; i++) along += z[i] * theta[i];
    CHECK_CLOSE(along, 0, 1e-13);
    for (double t : {-3.0, -1.0, 0.0, 0.5, 2.0}) {
      std::vector<double> moved(n);
      for (int i = 0; i < n; i++) moved[i] = t * z[i];
      CHECK(bound <= loss.value(moved.data()) + 1e-13);
    }
  }
}

TEST("prox-Newton ends where the optimality conditions hold") {
  for (bool efron : {false, true}) {
    const Cox loss = cox(efron);
    std::vector<double> x;
    for (int seed : {3, 5, 6}) {
      const std::vector<double> column = some(1, seed);
      x.insert(x.end(), column.begin(), column.end());
    }
    Columns columns;
    columns.rows = columns.ld = n;
    columns.count = 3;
    columns.dense = x.data();
    const std::vector<double> l1(3, 1.0);
    ProxNewton<Cox> solver(loss, FreeBlock(n, 0, nullptr));
    solver.attach(columns, l1.data(), nullptr);
    solver.solve(0.01, 0, 1e-10);
    std::vector<double> coefs(3);
    solver.scatter(coefs.data());
    const Swept at(loss, solver.eta());
    for (int j = 0; j < 3; j++) {
      double g = 0;
      for (int i = 0; i < n; i++) g += x[j * n + i] * at.residual[i];
      if (coefs[j] != 0)
        CHECK_CLOSE(g, std::copysign(0.01, coefs[j]), 1e-10);
      else
        CHECK(std::fabs(g) <= 0.01 * (1 + 1e-9));
    }
  }
}
