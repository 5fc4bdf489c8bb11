#pragma once
#include <algorithm>
#include <cmath>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// sum_i v_i l(y_i, eta_i),  l(y, eta) = log(1 + exp(eta)) - y eta,  y 0 or 1, for row weights v. Owns nothing.
// What a loss offers to ProxNewton: one sweep, its value, its dual, and a way to balance a dual point.
struct Logistic {
  static constexpr double least_curvature = 1e-9;  // of a row, in the Hessian only
  static constexpr bool kinked() { return false; }
  static constexpr double least_objective() { return 1e-3; }  // what is smaller is rounding
  Index rows = 0;
  const double* y = nullptr;
  const double* weights = nullptr;
  const double* offset = nullptr;  // or null for zeros

  // moved = eta + t step; residual = -v l', curvature = v max(l'', floor) at moved; returns residual'step
  double sweep(const double* eta, const double* step, double t, double floor, double* moved, double* residual, double* curvature) const {
    return kernels().logistic_sweep(rows, y, weights, eta, step, t, floor, moved, residual, curvature);
  }

  // curvature = v l'' where the residuals are -v l'
  void curvature(const double*, const double* residual, double* curvature) const {
    for (Index i = 0; i < rows; i++) {
      const double size = std::fabs(residual[i]);
      curvature[i] = weights[i] > 0 ? size * (1 - std::min(1.0, size / weights[i])) : 0.0;
    }
  }

  double value(const double* eta) const { return kernels().logistic_value(rows, y, weights, eta); }

  // The dual objective at scale * theta, without the penalty's part. theta_i must lie between 0 and v_i (2 y_i - 1).
  double dual(const double* theta, double scale) const { return kernels().logistic_dual(rows, weights, theta, offset, scale); }

  // How far eta may move for residual - curvature * change to stay a point of the dual domain: with room, for 1 is enough.
  double reach() const { return 0.5; }
  void shrink(double*) const {}

  // Scale down the heavier class, so that theta sums to zero inside the dual domain.
  void balance(double* theta) const {
    double ones = 0, zeros = 0;
    for (Index i = 0; i < rows; i++) (y[i] > 0.5 ? ones : zeros) += theta[i];
    zeros = -zeros;
    const double least = std::min(ones, zeros);
    const double keep_ones = ones > 0 ? least / ones : 1, keep_zeros = zeros > 0 ? least / zeros : 1;
    for (Index i = 0; i < rows; i++) theta[i] *= y[i] > 0.5 ? keep_ones : keep_zeros;
  }
};

}  // namespace shrinkage
