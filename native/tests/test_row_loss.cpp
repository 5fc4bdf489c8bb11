#include "shrinkage/losses/row_loss.hpp"

#include <vector>

#include "check.hpp"
#include "shrinkage/restricted/dual_point.hpp"

using namespace shrinkage;

namespace {

struct Case {
  LossKind kind;
  double first, second, third;
  std::vector<double> y;
};

const std::vector<Case> cases = {
    {LossKind::poisson, 0, 0, 0, {0, 1, 3.5, 40}},       {LossKind::gamma, 0, 0, 0, {0.1, 1, 3.5, 40}},
    {LossKind::tweedie, 1.5, 0, 0, {0, 0.1, 3.5, 40}},   {LossKind::tweedie, 1.02, 0, 0, {0, 1, 3.5, 40}},
    {LossKind::tweedie, 1.97, 0, 0, {0, 0.1, 3.5, 40}},  {LossKind::negative_binomial, 2, 0, 0, {0, 1, 7, 40}},
    {LossKind::clipped, -1, 1, 1, {0, 1, -3.5, 40}},     {LossKind::clipped, -0.7, 0.3, 0.1, {0, 1, -3.5, 40}},
};

RowLoss loss_of(const Case& c, const std::vector<double>& weights) {
  RowLoss loss;
  loss.kind = c.kind;
  loss.first = c.first;
  loss.second = c.second;
  loss.third = c.third;
  loss.rows = static_cast<Index>(c.y.size());
  loss.y = c.y.data();
  loss.weights = weights.data();
  return loss;
}

void sweep(const RowLoss& loss, const std::vector<double>& eta, std::vector<double>& residual, std::vector<double>& curvature) {
  const std::vector<double> still(eta.size(), 0.0);
  std::vector<double> moved(eta.size());
  loss.sweep(eta.data(), still.data(), 0, 0, moved.data(), residual.data(), curvature.data());
}

}  // namespace

TEST("residuals and curvatures are differences") {
  for (const Case& c : cases) {
    const size_t n = c.y.size();
    const std::vector<double> weights{0.1, 0.2, 0.3, 0.4};
    const RowLoss loss = loss_of(c, weights);
    for (double at : {-2.3, -0.31, 0.17, 1.9}) {
      const double h = 1e-6;
      std::vector<double> eta(n, at), up(n, at + h), down(n, at - h), r(n), w(n), r_up(n), w_up(n), r_down(n), w_down(n);
      sweep(loss, eta, r, w);
      sweep(loss, up, r_up, w_up);
      sweep(loss, down, r_down, w_down);
      double slope = 0;
      for (size_t i = 0; i < n; i++) slope -= r[i];
      CHECK_CLOSE((loss.value(up.data()) - loss.value(down.data())) / (2 * h), slope, 1e-7 * (1 + std::fabs(slope)));
      for (size_t i = 0; i < n; i++) CHECK_CLOSE((r_down[i] - r_up[i]) / (2 * h), w[i], 1e-7 * (1 + w[i]));
    }
  }
}

TEST("the dual at the residuals is the value less the slope times eta") {
  for (const Case& c : cases) {
    const size_t n = c.y.size();
    const std::vector<double> weights{0.1, 0.2, 0.3, 0.4};
    const RowLoss loss = loss_of(c, weights);
    for (double at : {-2.3, -0.31, 0.17, 1.9}) {
      std::vector<double> eta(n, at), r(n), w(n);
      sweep(loss, eta, r, w);
      double along = 0;
      for (size_t i = 0; i < n; i++) along -= r[i] * at;
      const double value = loss.value(eta.data());
      CHECK_CLOSE(loss.dual(r.data(), 1), value - along, 1e-12 * (1 + std::fabs(value) + std::fabs(along)));
    }
  }
}

TEST("a row of no weight is not looked at") {
  for (const Case& c : cases) {
    Case other = c;
    other.y[1] = c.y[3];
    const std::vector<double> weights{0.5, 0, 0.5, 0}, eta{0.3, 0.2, 0.1, 700};
    CHECK_CLOSE(loss_of(c, weights).value(eta.data()), loss_of(other, weights).value(eta.data()), 0);
    std::vector<double> theta(4), w(4);
    sweep(loss_of(c, weights), eta, theta, w);
    CHECK_CLOSE(theta[1] + theta[3] + w[1] + w[3], 0, 0);
  }
}

TEST("a dual point is balanced and inside the domain") {
  for (const Case& c : cases) {
    const std::vector<double> weights{0.1, 0.2, 0.3, 0.4}, ones(4, 1.0);
    const RowLoss loss = loss_of(c, weights);
    const FreeBlock free(4, 1, ones.data());
    DualPoint<RowLoss> dual(free);
    for (double at : {-1.5, 0.2, 1.4}) {
      std::vector<double> eta{at, -at, 0.5 * at, 0.1}, r(4), w(4), theta(4);
      sweep(loss, eta, r, w);
      dual.point(loss, eta.data(), r.data(), theta.data(), true);
      CHECK_CLOSE(theta[0] + theta[1] + theta[2] + theta[3], 0, 1e-9);
      CHECK(std::isfinite(loss.dual(theta.data(), 1)));
      CHECK(loss.dual(theta.data(), 1) <= loss.value(eta.data()) + 1e-9);
    }
  }
}
