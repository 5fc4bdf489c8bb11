#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/restricted/active_set.hpp"

namespace shrinkage {

// What `BoxedQuadratic` minimizes, by an active set that keeps its factor between strengths: for positive l1 and strength.
//
// Coordinates at a bound other than 0 are held: they are constants of the linear part. The others are minimized without
// that bound, each on the sides that are open to it. Those that leave their bounds are held next, those held that are
// pulled inside are let go. Where nobody has to be, that is the minimizer; rounds are not bound to end, so they are few.
class ActiveBox {
 public:
  static bool takes(const Quadratic& q, double strength) {
    return strength > 0 && std::all_of(q.l1, q.l1 + q.size, [](double weight) { return weight > 0; });
  }

  // v: from a start in the box to the minimizer; gradient = c - Hv there. False, with v anywhere, if it did not settle.
  // `restart`: the active set knows nothing of these coordinates.
  bool minimize(ActiveSet& active, const Quadratic& q, const double* lower, const double* upper, double strength, double tol, bool restart, double* v,
                double* gradient) {
    for (int round = 0; round < most_rounds; round++) {
      hold(q, lower, upper, v);
      Quadratic inner = q;
      inner.linear = linear_.data();
      if (restart)
        active.restart(inner, inside_.data(), strength, sides_.data());
      else
        active.attach(inner, sides_.data());
      restart = false;
      active.solve(strength, tol);
      std::copy(active.gradient().begin(), active.gradient().end(), gradient);
      if (stays(active, q, lower, upper, strength, tol, v)) return true;
    }
    return false;
  }

 private:
  static constexpr int most_rounds = 20;
  static constexpr double rounding = 1e-14;  // of the linear part

  static bool at_wall(double b, double lower, double upper) { return b != 0 && (b == lower || b == upper); }

  // Linear part, sides and start, with those held that stand at a bound.
  void hold(const Quadratic& q, const double* lower, const double* upper, const double* v) {
    const int size = q.size;
    linear_.assign(q.linear, q.linear + size);
    inside_.assign(v, v + size);
    sides_.resize(size);
    held_.clear();
    values_.clear();
    for (int j = 0; j < size; j++) {
      sides_[j] = static_cast<char>((upper[j] > 0 ? ActiveSet::up : 0) | (lower[j] < 0 ? ActiveSet::down : 0));
      if (!at_wall(v[j], lower[j], upper[j])) continue;
      held_.push_back(j);
      values_.push_back(q.scale * v[j]);
      linear_[j] -= q.curvature_of_ridge(j) * v[j];
      sides_[j] = 0;
      inside_[j] = 0;
    }
    kernels().subtract_columns(q.gram, q.ld, size, held_.data(), static_cast<Index>(held_.size()), values_.data(), linear_.data());
  }

  // v from the active set; false if somebody has to be held or let go.
  bool stays(const ActiveSet& active, const Quadratic& q, const double* lower, const double* upper, double strength, double tol, double* v) {
    bool settled = true;
    for (int j = 0; j < q.size; j++)
      if (sides_[j] != 0) v[j] = 0;
    for (int i = 0; i < active.support_size(); i++) {
      const int j = active.support()[i];
      const double b = active.coefficients()[i];
      v[j] = std::min(upper[j], std::max(lower[j], b));
      settled = settled && v[j] == b;
    }
    double largest = 0;
    for (int j = 0; j < q.size; j++) largest = std::max(largest, std::fabs(q.linear[j]) / q.l1[j]);
    const double limit = strength - std::max(tol * strength, rounding * largest);
    for (int j : held_) {
      const double outward = (v[j] > 0 ? active.gradient()[j] : -active.gradient()[j]) / q.l1[j];
      if (outward >= limit) continue;
      v[j] = 0;
      settled = false;
    }
    return settled;
  }

  std::vector<double> linear_, inside_, values_;
  std::vector<char> sides_;
  std::vector<int> held_;
};

}  // namespace shrinkage
