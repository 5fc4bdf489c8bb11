#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace shrinkage {

// Bounds, lower <= 0 <= upper, of the coefficients of a quadratic with groups; without any, nothing is held.
class GroupBounds {
 public:
  bool any() const { return !lower_.empty(); }

  void set(const double* lower, const double* upper, std::size_t count) {
    lower_.assign(lower, lower + count);
    upper_.assign(upper, upper + count);
  }

  // What bounds leave of a way down from u.
  double open(std::size_t e, double u, double down) const {
    if (!any()) return down;
    if (u >= upper_[e]) down = std::min(down, 0.0);
    return u <= lower_[e] ? std::max(down, 0.0) : down;
  }

  bool inside(std::size_t e, double u) const { return !any() || (u > lower_[e] && u < upper_[e]); }

  // u, or the bound that it is beyond or next to
  double clipped(std::size_t e, double u) const {
    if (!any()) return u;
    if (u >= upper_[e] * (1 - rounding)) return upper_[e];
    return u <= lower_[e] * (1 - rounding) ? lower_[e] : u;
  }

  // The share, at most 1 / `most`, of a way from u inside at which it meets a bound; as 1 / share.
  double meets(std::size_t e, double u, double way, double most) const {
    if (!any() || way == 0) return most;
    return std::max(most, way / ((way > 0 ? upper_[e] : lower_[e]) - u));
  }

  // s (size), of elements from `first` on = the minimizer of  h/2 |x|^2 - <s, x> + lam |x|  in the bounds. x_i is
  // s_i q, or the bound on that side, and q the root of |min(s, b / q)| (1 - h q) = lam, whose left side falls.
  void shrink(std::size_t first, int size, double h, double lam, double* s) {
    side_.resize(size);
    double square = 0;
    for (int i = 0; i < size; i++) {
      side_[i] = s[i] > 0 ? upper_[first + i] : -lower_[first + i];
      if (side_[i] > 0) square += s[i] * s[i];
    }
    const double length = std::sqrt(square), q = length > lam ? root(s, size, h, lam, (1 - lam / length) / h) : 0.0;
    for (int i = 0; i < size; i++) s[i] = std::copysign(std::min(std::fabs(s[i]) * q, side_[i]), s[i]);
  }

 private:
  static constexpr double rounding = 1e-15;
  static constexpr int most_steps = 200;

  double root(const double* s, int size, double h, double lam, double q) const {
    double low = 0, high = q;
    for (int step = 0; step < most_steps && low < high; step++) {
      double square = 0, bent = 0;  // bent: of those at a bound
      for (int i = 0; i < size; i++) {
        if (!(side_[i] > 0)) continue;
        const double x = std::fabs(s[i]) * q <= side_[i] ? std::fabs(s[i]) : side_[i] / q;
        square += x * x;
        if (std::fabs(s[i]) * q > side_[i]) bent += x * x;
      }
      const double length = std::sqrt(square), left = 1 - h * q, value = length * left - lam;
      (value >= 0 ? low : high) = q;
      double next = q + value / (bent / (length * q) * left + length * h);
      if (!(next > low && next < high)) next = value == 0 || std::fabs(next - q) <= 4 * std::numeric_limits<double>::epsilon() * q ? q : 0.5 * (low + high);
      if (std::fabs(next - q) <= 4 * std::numeric_limits<double>::epsilon() * q) return next;
      q = next;
    }
    return q;
  }

  std::vector<double> lower_, upper_, side_;
};

}  // namespace shrinkage
