#pragma once
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "shrinkage/restricted/free_block.hpp"
#include "shrinkage/restricted/sums.hpp"

namespace shrinkage {

// Losses that couple rows: their curvatures belong to the rows that `means` makes of columns, and their dual point
// comes with its dual objective.
template <class Loss>
struct Couples : std::false_type {};

// A point of the dual domain near the residuals at eta and orthogonal to the free block, without which a duality gap means
// nothing. Newton on the free block until its step is short; then r - D Z delta, which stays inside, or is scaled back.
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
    loss.curvature(eta, residual, curvature_.data());
    const double reach = loss.reach();
    const double* from = eta;
    const bool level = intercept_only && free_.count() == 1;  // all rows step alike
    for (int round = 0; round < max_rounds; round++) {
      if (round > 0) {
        if (level) std::fill(step_.begin(), step_.end(), level_step_);
        loss.sweep(from, step_.data(), 1 / std::max(1.0, longest_ / (2 * reach)), 0.0, at_.data(), theta, curvature_.data());
        from = at_.data();
      }
      longest_ = level ? find_level_step(theta) : find_step(theta);
      if (!std::isfinite(longest_)) break;
      if (longest_ > reach) continue;
      if (level) std::fill(step_.begin(), step_.end(), level_step_);
      free_.curvature(curvature_.data()).apply(step_.data(), step_.data());
      for (Index i = 0; i < rows; i++) theta[i] -= step_[i];
      loss.shrink(theta);
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

  // the same where Z is one column of equal entries
  double find_level_step(const double* theta) {
    const Index rows = static_cast<Index>(curvature_.size());
    const double left = total(theta, rows), size = total(curvature_.data(), rows);
    level_step_ = left == 0 ? 0.0 : left / size;
    return std::fabs(level_step_);
  }

  FreeBlock free_;
  double level_step_ = 0;
  std::vector<double> delta_, step_, curvature_, at_;
  double longest_ = 0;
};

}  // namespace shrinkage
