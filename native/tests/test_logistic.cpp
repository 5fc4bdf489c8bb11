#include <limits>

#include "check.hpp"
#include "shrinkage/losses/logistic.hpp"

using shrinkage::Index;
using shrinkage::Logistic;

namespace {

double log1pexp(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

// Rows with predictors from nearly nothing to a thousand, both classes, and one weight of zero.
struct Rows {
  std::vector<double> y, v, eta;

  explicit Rows(int n, double reach, unsigned seed) {
    check::Random random(seed);
    for (int i = 0; i < n; i++) {
      y.push_back(i % 3 == 1);
      v.push_back(i == 2 ? 0.0 : 1.5 + random.next());
      eta.push_back(reach * random.next());
    }
  }
  Logistic loss() const {
    Logistic l;
    l.rows = static_cast<Index>(y.size());
    l.y = y.data();
    l.weights = v.data();
    return l;
  }
};

}  // namespace

TEST("the value is the weighted negative log likelihood, finite a thousand away from zero") {
  for (const int n : {1, 3, 8, 9, 33})
    for (const double reach : {1e-3, 1.0, 30.0, 1000.0}) {
      const Rows rows(n, reach, 1);
      double expected = 0;
      for (int i = 0; i < n; i++) expected += rows.v[i] * (log1pexp(rows.eta[i]) - rows.y[i] * rows.eta[i]);
      CHECK_CLOSE(rows.loss().value(rows.eta.data()), expected, 1e-12);
    }
}

TEST("a sweep moves the predictors and returns residuals, curvatures and the slope there") {
  for (const int n : {1, 3, 8, 9, 33})
    for (const double reach : {1.0, 30.0, 1000.0})
      for (const double t : {0.0, 0.25, 1.0}) {
        const Rows rows(n, reach, 2);
        const auto step = check::Random(3).vector(n);
        std::vector<double> moved(n), residual(n), curvature(n);
        const double slope = rows.loss().sweep(rows.eta.data(), step.data(), t, 1e-9, moved.data(), residual.data(), curvature.data());
        double expected = 0;
        for (int i = 0; i < n; i++) {
          const double eta = rows.eta[i] + t * step[i], p = 1 / (1 + std::exp(-eta)), q = 1 / (1 + std::exp(eta));
          CHECK_CLOSE(moved[i], eta, 1e-14);
          CHECK_CLOSE(residual[i], rows.v[i] * (rows.y[i] - p), 1e-13);
          CHECK_CLOSE(curvature[i], rows.v[i] * std::max(p * q, 1e-9), 1e-13);
          expected += residual[i] * step[i];
        }
        CHECK_CLOSE(slope, expected, 1e-12);
      }
}

TEST("probabilities and losses are right to a few units in the last place, in both tails") {
  double worst_residual = 0, worst_value = 0;
  for (double eta = -700; eta <= 700; eta += 0.0917) {
    const double one = 1, zero = 0, agreeing = eta > 0;
    Logistic loss;
    loss.rows = 1;
    loss.y = &one;
    loss.weights = &one;
    double moved, residual, curvature;
    loss.sweep(&eta, &zero, 0, 0, &moved, &residual, &curvature);
    loss.y = &agreeing;
    const long double missing = 1 / (1 + std::exp(static_cast<long double>(eta)));
    const long double value = std::log1p(std::exp(-std::fabs(static_cast<long double>(eta))));
    worst_residual = std::max(worst_residual, static_cast<double>(std::fabs((residual - missing) / missing)));
    worst_value = std::max(worst_value, static_cast<double>(std::fabs((loss.value(&eta) - value) / value)));
  }
  const double unit = std::numeric_limits<double>::epsilon();  // at most two units in the last place
  CHECK(worst_residual <= 3 * unit);
  CHECK(worst_value <= 3 * unit);
}

TEST("residuals and curvatures are the derivatives of the value") {
  const Rows rows(1, 3.0, 4);
  const double zero = 0, h = 1e-5;
  double moved, residual, curvature, above, below, unused;
  rows.loss().sweep(rows.eta.data(), &zero, 0, 0, &moved, &residual, &curvature);
  const double up = rows.eta[0] + h, down = rows.eta[0] - h;
  CHECK_CLOSE(-residual, (rows.loss().value(&up) - rows.loss().value(&down)) / (2 * h), 1e-8);
  rows.loss().sweep(&up, &zero, 0, 0, &moved, &above, &unused);
  rows.loss().sweep(&down, &zero, 0, 0, &moved, &below, &unused);
  CHECK_CLOSE(curvature, -(above - below) / (2 * h), 1e-8);
}

TEST("the dual at the residuals closes Fenchel's inequality, and no other point exceeds it") {
  const Rows rows(12, 4.0, 5);
  const auto offset = check::Random(6).vector(12);
  Logistic loss = rows.loss();
  loss.offset = offset.data();
  std::vector<double> step(12), moved(12), theta(12), curvature(12);
  loss.sweep(rows.eta.data(), step.data(), 0, 0, moved.data(), theta.data(), curvature.data());
  // value(eta) - dual(theta) = -theta'(eta - offset) at theta = -gradient
  double expected = 0;
  for (int i = 0; i < 12; i++) expected -= theta[i] * (rows.eta[i] - offset[i]);
  CHECK_CLOSE(loss.value(rows.eta.data()) - loss.dual(theta.data(), 1.0), expected, 1e-12);
  for (const double scale : {0.0, 0.3, 0.9}) {
    double bound = loss.value(rows.eta.data());
    for (int i = 0; i < 12; i++) bound += scale * theta[i] * (rows.eta[i] - offset[i]);
    CHECK(loss.dual(theta.data(), scale) <= bound + 1e-12);
  }
}

TEST("balancing sums to zero and stays inside the dual domain") {
  const Rows rows(15, 2.0, 7);
  std::vector<double> step(15), moved(15), theta(15), curvature(15);
  rows.loss().sweep(rows.eta.data(), step.data(), 0, 0, moved.data(), theta.data(), curvature.data());
  rows.loss().balance(theta.data());
  double sum = 0;
  for (int i = 0; i < 15; i++) {
    sum += theta[i];
    const double inside = theta[i] * (2 * rows.y[i] - 1);
    CHECK(inside >= 0);
    CHECK(inside <= rows.v[i]);
  }
  CHECK_CLOSE(sum, 0.0, 1e-13);
}

TEST("the dual is the weighted entropy of the shares, whatever is left over after whole vectors, and at both ends") {
  for (const int n : {1, 3, 4, 7, 8, 9, 33, 65})
    for (const bool shifted : {false, true}) {
      const Rows rows(n, 1.0, 4);
      const auto offset = check::Random(5).vector(n);
      Logistic loss = rows.loss();
      if (shifted) loss.offset = offset.data();
      const double ends[] = {0.0, 1e-200, 1e-9, 0.5, 1 - 1e-9, 1.0}, scale = 0.75;
      std::vector<double> theta(n);
      long double expected = 0;
      for (int i = 0; i < n; i++) {
        const long double q = i < 6 ? ends[i] : 0.5 + 0.49 * offset[i] / (1 + std::fabs(offset[i]));
        theta[i] = static_cast<double>(rows.v[i] * q / scale * (rows.y[i] > 0.5 ? 1 : -1));
        for (const long double share : {q, 1 - q})
          if (share > 0) expected -= rows.v[i] * share * std::log(share);
        if (shifted) expected -= scale * theta[i] * offset[i];
      }
      CHECK_CLOSE(loss.dual(theta.data(), scale), static_cast<double>(expected), 1e-13);
    }
}
