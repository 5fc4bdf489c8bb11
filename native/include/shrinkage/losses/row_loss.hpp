#pragma once
#include <algorithm>
#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/losses/rows.hpp"

namespace shrinkage {

enum class LossKind : int { poisson, gamma, tweedie, negative_binomial, clipped, squared };

// sum_i v_i l(y_i, eta_i) for a loss that is chosen at run time, once for each sweep over the rows. Owns nothing.
// The same offers to ProxNewton as Logistic's.
class RowLoss {
  // use(row) with the loss of a row
  template <class Use>
  auto by_row(Use use) const {
    switch (kind) {
      case LossKind::poisson:
        return use(PoissonRow{});
      case LossKind::gamma:
        return use(GammaRow{});
      case LossKind::tweedie:
        return use(TweedieRow{2 - first, first - 1});
      case LossKind::negative_binomial:
        return use(NegativeBinomialRow{first, std::log(first)});
      case LossKind::squared:
        return use(SquaredRow{});
      default:
        return use(ClippedRow{first, second, third, 0.1 * third * (second - first)});
    }
  }

  // u, or the end of the domain that rounding carried it past
  template <class Row>
  double inside(const Row& row, Index i, double u) const {
    constexpr double rounding = 1e-14;
    const double low = row.lower(y[i]), high = row.upper(y[i]);
    if (u < low && low - u <= rounding * std::fabs(low)) return low;
    if (u > high && u - high <= rounding * std::fabs(high)) return high;
    return u;
  }

 public:
  static constexpr double least_curvature = 1e-9;  // of a row, in the Hessian only
  bool kinked() const { return kind == LossKind::clipped; }
  // Objectives below it are rounding: errors have the unit of y, other losses none.
  double least_objective() const { return kind == LossKind::squared || kinked() ? 0.0 : 1e-3; }
  Index rows = 0;
  const double* y = nullptr;
  const double* weights = nullptr;
  const double* offset = nullptr;  // or null for zeros
  LossKind kind = LossKind::poisson;
  double first = 0, second = 0, third = 0;  // power; theta; low, high and width

  // moved = eta + t step; residual = -v l', curvature = v max(hessian, floor) at moved (floor 0: v l''; with kinks floor is a
  // share of the curvature at the bend); returns residual'step
  double sweep(const double* eta, const double* step, double t, double floor, double* moved, double* residual, double* curvature) const {
    const double least = kinked() ? floor / third : floor;
    return by_row([&](auto row) {
      double along = 0;
      for (Index i = 0; i < rows; i++) {
        moved[i] = eta[i] + t * step[i];
        double slope, bend;
        row.derivatives(y[i], moved[i], slope, bend);
        if (floor > 0) bend = std::max(least, row.hessian(y[i], moved[i], slope, bend));
        residual[i] = weights[i] > 0 ? -weights[i] * slope : 0.0;
        curvature[i] = weights[i] > 0 ? weights[i] * bend : 0.0;
        along += residual[i] * step[i];
      }
      return along;
    });
  }

  // curvature = v l'' at eta
  void curvature(const double* eta, const double*, double* curvature) const {
    by_row([&](auto row) {
      for (Index i = 0; i < rows; i++) {
        double slope;
        row.derivatives(y[i], eta[i], slope, curvature[i]);
        curvature[i] = weights[i] > 0 ? weights[i] * curvature[i] : 0.0;
      }
    });
  }

  double value(const double* eta) const {
    return by_row([&](auto row) {
      double sum = 0;
      for (Index i = 0; i < rows; i++)
        if (weights[i] > 0) sum += weights[i] * row.value(y[i], eta[i]);
      return sum;
    });
  }

  // The dual objective at scale * theta, without the penalty's part; -inf where theta leaves the dual domain.
  double dual(const double* theta, double scale) const {
    return by_row([&](auto row) {
      double sum = 0;
      for (Index i = 0; i < rows; i++) {
        if (!(weights[i] > 0)) continue;
        const double u = inside(row, i, -scale * theta[i] / weights[i]);
        sum -= weights[i] * (row.conjugate(y[i], u) - (offset ? u * offset[i] : 0.0));
      }
      return sum;
    });
  }

  // How far eta may move for residual - curvature * change to stay a point of the dual domain, or near it.
  double reach() const {
    return by_row([](auto row) { return row.reach; });
  }

  // Scale theta down until every row is in the dual domain, which holds 0.
  void shrink(double* theta) const {
    const double least = by_row([&](auto row) {
      double scale = 1;
      for (Index i = 0; i < rows; i++) {
        if (!(weights[i] > 0)) continue;
        const double u = inside(row, i, -theta[i] / weights[i]);
        const double bound = std::min(row.upper(y[i]), std::max(row.lower(y[i]), u));
        if (bound != u) scale = std::min(scale, bound / u);
      }
      return scale;
    });
    if (least < 1)
      for (Index i = 0; i < rows; i++) theta[i] *= least;
  }

  // Scale down the heavier side, so that theta sums to zero inside the dual domain.
  void balance(double* theta) const {
    double up = 0, down = 0;
    for (Index i = 0; i < rows; i++) (theta[i] > 0 ? up : down) += std::fabs(theta[i]);
    const double least = std::min(up, down), keep_up = up > 0 ? least / up : 1, keep_down = down > 0 ? least / down : 1;
    for (Index i = 0; i < rows; i++) theta[i] *= theta[i] > 0 ? keep_up : keep_down;
  }
};

}  // namespace shrinkage
