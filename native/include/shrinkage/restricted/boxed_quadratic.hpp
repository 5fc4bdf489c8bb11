#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/quadratic.hpp"

namespace shrinkage {

// min_v  1/2 v'Hv - c'v + strength sum_j l1[j] |v_j|  over  lower <= v <= upper, which holds 0.
//
// Coordinate descent finds who stands at 0 and who at a bound. On the face that is left the objective is a quadratic, and
// a Newton step its minimizer; it is walked as far as the first coordinate that meets 0 or a bound, which then stays there.
// Both only lower the objective. Where columns depend on each other a faint ridge on the face makes the step long along
// the directions that leave the fit as it is, so that it ends at a smaller face.
class BoxedQuadratic {
 public:
  // v: from a start in the box to the minimizer, to `tol` of the strength; gradient = c - Hv there.
  void minimize(const Quadratic& q, const double* lower, const double* upper, double strength, double tol, double* v, double* gradient) {
    q_ = q;
    lower_ = lower, upper_ = upper, v_ = v, gradient_ = gradient;
    measure(strength, tol);
    update_gradient();
    for (int round = 0; round < most_rounds; round++) {
      check_interrupt();
      if (!sweep(movable_)) {
        update_gradient();  // without what rounding added up
        if (!sweep(movable_)) return;
      }
      find_face();
      for (int i = 0; i < few_sweeps && sweep(face_); i++) continue;
      walk_faces();
    }
    update_gradient();
  }

 private:
  static constexpr int most_rounds = 300, few_sweeps = 3, most_faces = 20;
  static constexpr double rounding = 1e-15;  // of a gradient
  static constexpr double faint = 1e-3;      // of the largest gradient: what counts where no penalty gives a unit
  static constexpr double jitter = 1e-11;    // of a diagonal entry

  void measure(double strength, double tol) {
    const int size = q_.size;
    diagonal_.resize(size);
    limit_.resize(size);
    width_.resize(size);
    movable_.clear();
    double largest = 0;
    for (int j = 0; j < size; j++) {
      diagonal_[j] = q_.diagonal(j);
      if (!(diagonal_[j] > 0)) continue;  // however small: columns have units of their own
      largest = std::max(largest, std::fabs(q_.linear[j]) / std::sqrt(diagonal_[j]));
      if (lower_[j] < upper_[j]) movable_.push_back(j);
    }
    for (int j = 0; j < size; j++) {
      width_[j] = strength * q_.l1[j];
      const double unit = largest * std::sqrt(std::max(diagonal_[j], 0.0));
      limit_[j] = std::max(tol * std::max(width_[j], faint * unit), rounding * unit);
    }
  }

  void update_gradient() {
    columns_.clear();
    values_.clear();
    for (int j = 0; j < q_.size; j++) {
      gradient_[j] = q_.linear[j] - q_.curvature_of_ridge(j) * v_[j];
      if (v_[j] == 0) continue;
      columns_.push_back(j);
      values_.push_back(q_.scale * v_[j]);
    }
    kernels().subtract_columns(q_.gram, q_.ld, q_.size, columns_.data(), static_cast<Index>(columns_.size()), values_.data(), gradient_);
  }

  // How strongly the objective pulls coordinate j up (or down, < 0); 0 at its minimizer.
  double pull(int j) const {
    const double b = v_[j], g = gradient_[j], w = width_[j];
    const double up = g - (b >= 0 ? w : -w), down = g + (b <= 0 ? w : -w);
    if (up > 0 && b < upper_[j]) return up;
    return down < 0 && b > lower_[j] ? down : 0.0;
  }

  // Each coordinate to its minimizer, one after the other; false if none was pulled beyond its limit.
  bool sweep(const std::vector<int>& among) {
    bool moved = false;
    for (int j : among) {
      if (std::fabs(pull(j)) <= limit_[j]) continue;
      const double t = gradient_[j] + diagonal_[j] * v_[j];
      const double target = std::copysign(std::max(std::fabs(t) - width_[j], 0.0), t) / diagonal_[j];
      const double now = std::min(upper_[j], std::max(lower_[j], target)), change = now - v_[j];
      if (change == 0) continue;
      moved = true;
      v_[j] = now;
      const double* column = q_.gram + j * q_.ld;
      const double scaled = q_.scale * change;
      for (int i = 0; i < q_.size; i++) gradient_[i] -= scaled * column[i];
      gradient_[j] -= q_.curvature_of_ridge(j) * change;
    }
    return moved;
  }

  // --- faces ----------------------------------------------------------------------------------------------------------
  void find_face() {
    face_.clear();
    for (int j : movable_)
      if (v_[j] > lower_[j] && v_[j] < upper_[j] && (v_[j] != 0 || width_[j] == 0)) face_.push_back(j);
  }

  void walk_faces() {
    for (int i = 0; i < most_faces; i++) {
      find_face();
      if (face_.empty() || !find_step()) return;
      if (take_step() == 1) return;
    }
  }

  // step_ = H_AA^-1 of the gradient on the face A; false if H_AA is not positive definite
  bool find_step() {
    const int m = static_cast<int>(face_.size());
    factor_.resize(static_cast<size_t>(m) * m);
    step_.resize(m);
    for (int a = 0; a < m; a++) {
      const int j = face_[a];
      const double* column = q_.gram + j * q_.ld;
      double* into = factor_.data() + static_cast<size_t>(a) * m;
      for (int i = a; i < m; i++) into[i] = q_.scale * column[face_[i]];
      into[a] = diagonal_[j] * (1 + jitter);
      step_[a] = gradient_[j] - (v_[j] > 0 ? width_[j] : v_[j] < 0 ? -width_[j] : 0.0);
    }
    if (linalg::cholesky(m, factor_.data(), m) != 0) return false;
    linalg::solve_lower(linalg::Op::none, m, factor_.data(), m, step_.data());
    linalg::solve_lower(linalg::Op::transpose, m, factor_.data(), m, step_.data());
    return std::all_of(step_.begin(), step_.end(), [](double s) { return std::isfinite(s); });
  }

  // Where coordinate j has to stop when it moves along `step`: at 0, where its penalty has a kink, or at a bound.
  double end(int j, double step) const {
    if (width_[j] > 0 && v_[j] * step < 0) return 0.0;
    return step > 0 ? upper_[j] : lower_[j];
  }

  // v along the step, as far as the first coordinate that has to stop; returns how far.
  double take_step() {
    const int m = static_cast<int>(face_.size());
    double fraction = 1;
    int first = -1;
    for (int a = 0; a < m; a++) {
      if (step_[a] == 0) continue;
      const double at = (end(face_[a], step_[a]) - v_[face_[a]]) / step_[a];
      if (at < fraction) fraction = at, first = a;
    }
    values_.resize(m);
    for (int a = 0; a < m; a++) {
      const int j = face_[a];
      const double stop = end(j, step_[a]);
      double b = v_[j] + fraction * step_[a];
      if (a == first || (step_[a] > 0 ? b > stop : b < stop)) b = stop;
      values_[a] = q_.scale * (b - v_[j]);
      gradient_[j] -= q_.curvature_of_ridge(j) * (b - v_[j]);
      v_[j] = b;
    }
    kernels().subtract_columns(q_.gram, q_.ld, q_.size, face_.data(), m, values_.data(), gradient_);
    return fraction;
  }

  Quadratic q_;
  const double *lower_ = nullptr, *upper_ = nullptr;
  double *v_ = nullptr, *gradient_ = nullptr;
  std::vector<double> diagonal_, limit_, width_;  // H_jj, what pulls less stays, strength l1
  std::vector<int> movable_, face_, columns_;
  std::vector<double> factor_, step_, values_;
};

}  // namespace shrinkage
