#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"

namespace shrinkage {

// The Cholesky factor of a symmetric matrix that grows and shrinks by rows: A = L L', L lower, column-major.
// Appending k rows to m costs m^2 k + m k^2; dropping row q costs 3 (m - q)^2 by Givens rotations.
class Factor {
 public:
  int size() const { return size_; }
  int ld() const { return ld_; }
  double* column(int j) { return values_.data() + static_cast<Index>(j) * ld_; }

  void reserve(int rows) {
    if (rows <= ld_) return;
    int ld = std::max(rows, ld_ + ld_ / 2);
    ld = (std::max(ld, 64) + 7) / 8 * 8;
    std::vector<double> grown(static_cast<size_t>(ld) * ld);
    for (int j = 0; j < size_; j++) std::memcpy(&grown[static_cast<size_t>(j) * ld + j], column(j) + j, (size_ - j) * sizeof(double));
    values_.swap(grown);
    ld_ = ld;
  }

  // x = A^-1 x
  void solve(double* x) {
    linalg::solve_lower(linalg::Op::none, size_, values_.data(), ld_, x);
    linalg::solve_lower(linalg::Op::transpose, size_, values_.data(), ld_, x);
  }

  // Append one row: cross (size) with the rows present, and its diagonal entry. Refuses, and leaves the factor as it was,
  // when the pivot is at most `least`.
  bool append(const double* cross, double diagonal, double least) {
    const int m = size_;
    reserve(m + 1);
    row_.assign(cross, cross + m);
    linalg::solve_lower(linalg::Op::none, m, values_.data(), ld_, row_.data());
    double pivot = diagonal;
    for (int i = 0; i < m; i++) pivot -= row_[i] * row_[i];
    if (!(pivot > least)) return false;
    for (int i = 0; i < m; i++) column(i)[m] = row_[i];
    column(m)[m] = std::sqrt(pivot);
    size_++;
    return true;
  }

  // Append a block: cross (size x k, column-major, overwritten), block (k x k, lower, overwritten), least[k] pivots allowed.
  bool append(int k, double* cross, double* block, const double* least) {
    const int m = size_;
    linalg::solve_lower(m, k, values_.data(), ld_, cross, m);
    linalg::syrk(linalg::Op::transpose, k, m, -1.0, cross, std::max(m, 1), 1.0, block, k);
    if (linalg::cholesky(k, block, k) != 0) return false;
    for (int a = 0; a < k; a++) {
      const double root = block[static_cast<Index>(a) * k + a];
      if (!(root * root > least[a])) return false;
    }
    reserve(m + k);
    for (int i = 0; i < m; i++) {
      double* into = column(i) + m;
      for (int a = 0; a < k; a++) into[a] = cross[static_cast<Index>(a) * m + i];
    }
    for (int a = 0; a < k; a++) std::memcpy(column(m + a) + m + a, block + static_cast<Index>(a) * k + a, (k - a) * sizeof(double));
    size_ += k;
    return true;
  }

  // Drop row and column q by rotating the columns behind it.
  void drop(int q) {
    const int r = size_ - 1 - q;
    for (int j = 0; j < q; j++) {
      double* c = column(j);
      std::memmove(c + q, c + q + 1, r * sizeof(double));
    }
    row_.assign(column(q) + q + 1, column(q) + q + 1 + r);
    double* l = row_.data();
    for (int j = 0; j < r; j++) {
      const double* from = column(q + 1 + j) + q + 1;
      double* into = column(q + j) + q;
      const double length = std::hypot(from[j], l[j]), c = from[j] / length, s = l[j] / length;
      into[j] = length;
      for (int i = j + 1; i < r; i++) {
        const double a = from[i], b = l[i];
        into[i] = c * a + s * b;
        l[i] = c * b - s * a;
      }
    }
    size_--;
  }

  // Keep only the rows `kept` of the rows from q on: columns before q stay valid, the caller refactors the rest.
  void compact(int q, const std::vector<int>& kept) {
    for (int j = 0; j < q; j++) {
      double* c = column(j);
      int into = q;
      for (int i : kept) c[into++] = c[i];
    }
    size_ = q;
  }

  // Refactor rows q.. of an r x r trailing block whose entries (lower) already stand in the columns q.., ld().
  bool refactor_tail(int q, int r) {
    double* tail = column(q) + q;
    if (q > 0) linalg::syrk(linalg::Op::none, r, q, -1.0, values_.data() + q, ld_, 1.0, tail, ld_);
    if (linalg::cholesky(r, tail, ld_) != 0) return false;
    size_ = q + r;
    return true;
  }

  void clear() { size_ = 0; }
  void truncate(int size) { size_ = size; }

 private:
  std::vector<double> values_, row_;
  int size_ = 0, ld_ = 0;
};

}  // namespace shrinkage
