#pragma once
#include <cmath>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/restricted/row_curvature.hpp"

namespace shrinkage {

// The columns Z that no penalty touches (ones for the intercept, then free features), and the Cholesky factor L of
// Z' diag(w) Z for some row weights w. A column that depends on those before it gets a zero row and column: its
// coefficient then stays where it is, and solves treat it as absent.
class FreeBlock {
 public:
  FreeBlock(Index rows, int count, const double* columns, int classes = 1)
      : rows_(rows), count_(count), classes_(classes), columns_(columns), factor_(static_cast<size_t>(count) * count) {}

  int count() const { return count_; }
  int rank() const { return rank_; }
  const double* column(int a) const { return columns_ + a * rows_; }
  RowCurvature curvature(const double* w) const { return RowCurvature(w, rows_, classes_); }
  const double* weighted(int a) const { return weighted_.data() + a * rows_; }  // C times column a, after `factor`

  // out = Z'u
  void dots(const double* u, double* out) const {
    for (int a = 0; a < count_; a++) out[a] = dot(column(a), u);
  }

  // sqrt(z_a' diag(weights) z_a)
  double root(int a, const double* weights) const {
    double sum = 0;
    for (Index i = 0; i < rows_; i++) sum += weights[i] * column(a)[i] * column(a)[i];
    return std::sqrt(sum);
  }

  // u += Z coefs
  void add(const double* coefs, double* u) const {
    for (int a = 0; a < count_; a++) {
      const double* z = column(a);
      for (Index i = 0; i < rows_; i++) u[i] += coefs[a] * z[i];
    }
  }

  void factor(const double* w) {
    weighted_.resize(static_cast<size_t>(rows_) * count_);
    rank_ = 0;
    for (int a = 0; a < count_; a++) {
      double* into = weighted_.data() + a * rows_;
      curvature(w).apply(column(a), into);
      for (int b = 0; b <= a; b++) at(a, b) = dot(into, column(b));
      factor_row(a);
    }
  }

  // x = L^-1 x
  void forward(double* x) const {
    for (int a = 0; a < count_; a++) {
      for (int b = 0; b < a; b++) x[a] -= at(a, b) * x[b];
      x[a] = at(a, a) > 0 ? x[a] / at(a, a) : 0;
    }
  }

  // x = L^-T x
  void backward(double* x) const {
    for (int a = count_ - 1; a >= 0; a--) {
      for (int b = a + 1; b < count_; b++) x[a] -= at(b, a) * x[b];
      x[a] = at(a, a) > 0 ? x[a] / at(a, a) : 0;
    }
  }

 private:
  double& at(int a, int b) { return factor_[static_cast<size_t>(a) * count_ + b]; }
  double at(int a, int b) const { return factor_[static_cast<size_t>(a) * count_ + b]; }

  double dot(const double* x, const double* u) const {
    const int first = 0;
    double out = 0;
    kernels().picked_dots(x, rows_, rows_, &first, 1, u, &out);
    return out;
  }

  void factor_row(int a) {
    const double before = at(a, a);
    for (int b = 0; b < a; b++) {
      for (int c = 0; c < b; c++) at(a, b) -= at(a, c) * at(b, c);
      at(a, b) = at(b, b) > 0 ? at(a, b) / at(b, b) : 0;
      at(a, a) -= at(a, b) * at(a, b);
    }
    if (at(a, a) > 1e-11 * before) {
      at(a, a) = std::sqrt(at(a, a));
      rank_++;
      return;
    }
    for (int b = 0; b <= a; b++) at(a, b) = 0;
  }

  Index rows_;
  int count_, classes_, rank_ = 0;
  const double* columns_;
  std::vector<double> factor_, weighted_;
};

}  // namespace shrinkage
