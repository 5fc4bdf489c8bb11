#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// Points (rows x count, column-major), a few of which span the others up to rests: the `given` first ones of `order`, then
// the farthest in turn, in units of limits, until all rests are within them. Returns how many; their numbers are in
// `order` (room for count). shares (count x count): point t is sum_k shares[k, t] point order[k], plus a rest of length rest[t].
class Spanning {
 public:
  Spanning(const double* points, Index rows, Index count) : points_(points), rows_(rows), count_(count), left_(count * count, 0.0), factor_(count * count) {
    kernels().dots(points, rows, rows, count, points, rows, count, left_.data(), count);
    for (Index t = 0; t < count; t++) scale_.push_back(left_[t + t * count]);
  }

  Index choose(const double* limits, Index given, std::int64_t* order) {
    std::vector<char> taken(static_cast<std::size_t>(count_), 0);
    Index chosen = 0;
    for (; chosen < count_; chosen++) {
      if (chosen >= given) order[chosen] = farthest(limits, taken);
      if (order[chosen] < 0) break;
      taken[order[chosen]] = 1;
      eliminate(order[chosen], chosen);
    }
    return chosen;
  }

  void share(const std::int64_t* order, Index chosen, double* shares, double* rest) const {
    std::vector<double> apart(static_cast<std::size_t>(rows_));
    for (Index t = 0; t < count_; t++) {
      double* a = shares + t * count_;
      std::copy_n(points_ + t * rows_, rows_, apart.begin());
      for (Index k = chosen; k-- > 0;) {
        const double *row = factor_.data() + k * count_, pivot = row[order[k]];
        a[k] = row[t];
        for (Index l = k + 1; l < chosen; l++) a[k] -= row[order[l]] * a[l];
        a[k] = pivot > 0 ? a[k] / pivot : 0.0;
        const double* point = points_ + order[k] * rows_;
        for (Index i = 0; i < rows_; i++) apart[i] -= a[k] * point[i];
      }
      double square = 0;
      for (double x : apart) square += x * x;
      rest[t] = std::sqrt(square);
    }
  }

 private:
  static constexpr double dependent = 1e-10;  // of a square: what is left of a point that the chosen ones span

  // the point outside whose rest exceeds its limit by most; -1 if none does
  Index farthest(const double* limits, const std::vector<char>& taken) const {
    double most = 1;
    Index found = -1;
    for (Index t = 0; t < count_; t++) {
      const double excess = std::sqrt(std::max(left_[t + t * count_], 0.0)) / std::max(limits[t], 1e-300);
      if (!taken[t] && excess > most) most = excess, found = t;
    }
    return found;
  }

  // row `place` of the factor: the products that are left with point k; none where that depends on those before
  void eliminate(Index k, Index place) {
    double* row = factor_.data() + place * count_;
    const double pivot = left_[k + k * count_];
    const bool own = pivot > dependent * scale_[k];
    for (Index t = 0; t < count_; t++) row[t] = own ? left_[t + k * count_] / std::sqrt(pivot) : 0.0;
    for (Index s = 0; s < count_; s++)
      for (Index t = 0; t < count_; t++) left_[t + s * count_] -= row[s] * row[t];
  }

  const double* points_;
  Index rows_, count_;
  std::vector<double> left_, factor_, scale_;
};

}  // namespace shrinkage
