#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/restricted/free_block.hpp"

namespace shrinkage {

// A point of the dual domain near the residuals at eta and orthogonal to the free block, without which a duality gap means
// nothing. Newton on the free block until its step is short, |Z delta| <= 1/2; then r - D Z delta, which stays inside.
template <class Loss>
class DualPoint {
 public:
  explicit DualPoint(const FreeBlock& free) : free_(free), delta_(free.count()) {}

  // theta = row weights times the point, from the residuals known at eta. `intercept_only` says that Z is ones: there the
  // loss can always balance.
  void point(const Loss& loss, const double* eta, const double* residual, double* theta, bool intercept_only) {
    const Index rows = loss.rows;
    step_.resize(rows);
    curvature_.resize(rows);
    at_.resize(rows);
    std::copy_n(residual, rows, theta);
    loss.curvature(residual, curvature_.data());
    const double* from = eta;
    for (int round = 0; round < max_rounds; round++) {
      if (round > 0) {
        loss.sweep(from, step_.data(), 1 / std::max(1.0, longest_), 0.0, at_.data(), theta, curvature_.data());
        from = at_.data();
      }
      longest_ = find_step(theta);
      if (!std::isfinite(longest_)) break;
      if (longest_ > 0.5) continue;
      for (Index i = 0; i < rows; i++) theta[i] -= curvature_[i] * step_[i];
      return;
    }
    std::copy_n(residual, rows, theta);
    if (intercept_only)
      loss.balance(theta);
    else
      std::fill_n(theta, rows, 0.0);
  }

 private:
  static constexpr int max_rounds = 30;

  // step_ = Z delta with Z'D Z delta = Z'theta; returns its largest entry
  double find_step(const double* theta) {
    free_.dots(theta, delta_.data());
    free_.factor(curvature_.data());
    free_.forward(delta_.data());
    free_.backward(delta_.data());
    std::fill(step_.begin(), step_.end(), 0.0);
    free_.add(delta_.data(), step_.data());
    double longest = 0;
    for (double s : step_) longest = std::fabs(s) <= longest ? longest : std::fabs(s);
    return longest;
  }

  FreeBlock free_;
  std::vector<double> delta_, step_, curvature_, at_;
  double longest_ = 0;
};

}  // namespace shrinkage
