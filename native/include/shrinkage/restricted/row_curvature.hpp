#pragma once
#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/restricted/sums.hpp"

namespace shrinkage {

// The second derivative C of a loss, kept as weights v, one per row and class (class after class, n = rows / classes each).
// One class: C = diag(v). More: C = diag(v_i) - v_i v_i' / sum_k v_ik in every row i, the multinomial's for v_ik = w_i p_ik.
class RowCurvature {
 public:
  RowCurvature(const double* v, Index rows, int classes) : v_(v), n_(rows / classes), classes_(classes) {}

  // out = C u; out may be u
  void apply(const double* u, double* out) const {
    if (classes_ == 1) {
      for (Index i = 0; i < n_; i++) out[i] = v_[i] * u[i];
      return;
    }
    by_row(
        [&](Index i, double mean) {
          for (int k = 0; k < classes_; k++) out[k * n_ + i] = v_[k * n_ + i] * (u[k * n_ + i] - mean);
        },
        u);
  }

  // u'C u
  double form(const double* u) const {
    if (classes_ == 1) return weighted_squares(v_, u, n_);
    double sum = 0;
    by_row(
        [&](Index i, double mean) {
          for (int k = 0; k < classes_; k++) {
            const double d = u[k * n_ + i] - mean;
            sum += v_[k * n_ + i] * d * d;
          }
        },
        u);
    return sum;
  }

  // the trace of C
  double trace() const {
    double sum = total(v_, n_ * classes_);
    if (classes_ > 1) by_row([&](Index, double mean) { sum -= mean; }, v_);
    return sum;
  }

  // out[i] = 1 / sqrt(sum_k v_ik), 0 where the sum is
  void inverse_roots(double* out) const {
    for (Index i = 0; i < n_; i++) {
      double total = 0;
      for (int k = 0; k < classes_; k++) total += v_[k * n_ + i];
      out[i] = total > 0 ? 1 / std::sqrt(total) : 0.0;
    }
  }

 private:
  // use(i, mean of u over the classes of row i under v)
  template <class Use>
  void by_row(Use use, const double* u) const {
    for (Index i = 0; i < n_; i++) {
      double total = 0, sum = 0;
      for (int k = 0; k < classes_; k++) {
        total += v_[k * n_ + i];
        sum += v_[k * n_ + i] * u[k * n_ + i];
      }
      use(i, total > 0 ? sum / total : 0.0);
    }
  }

  const double* v_;
  Index n_;
  int classes_;
};

}  // namespace shrinkage
