#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"

namespace shrinkage {

// The Cholesky factor of a symmetric matrix that grows and shrinks by rows, A = L L' (L lower, column-major), and two
// right-hand sides that are kept solved for L: each is a row below L to every operation, so that A^-1 of any mixture of
// them costs one substitution. Appending k rows to m costs m^2 k + m k^2; dropping k of the last r rows k r^2 flops x 3/2.
class Factor {
 public:
  using Sides = std::array<double, 2>;  // the entries of the right-hand sides in one row

  int size() const { return size_; }
  int ld() const { return ld_; }
  double* column(int j) { return values_.get() + static_cast<Index>(j) * ld_; }

  void reserve(int rows) {
    if (rows <= ld_) return;
    int ld = std::max(rows, ld_ + ld_ / 2);
    ld = (std::max(ld, 64) + 7) / 8 * 8;
    std::unique_ptr<double[]> grown(new double[static_cast<size_t>(ld) * ld]);  // not filled: pages that nobody writes cost nothing
    for (int j = 0; j < size_; j++) std::memcpy(grown.get() + static_cast<size_t>(j) * ld + j, column(j) + j, (size_ - j) * sizeof(double));
    values_.swap(grown);
    ld_ = ld;
  }

  // x = A^-1 x
  void solve(double* x) {
    forward(size_, values_.get(), x);
    kernels().substitute_back(size_, values_.get(), ld_, x);
  }

  // x = A^-1 (first + weight second), of the right-hand sides
  void solve_sides(double weight, double* x) {
    for (int i = 0; i < size_; i++) x[i] = sides_[0][i] + weight * sides_[1][i];
    kernels().substitute_back(size_, values_.get(), ld_, x);
  }

  // Give right-hand sides to the rows from q on; those before stand.
  void set_sides(int q, const std::vector<Sides>& right) {
    const int r = size_ - q;
    row_.resize(r);
    for (int s = 0; s < 2; s++) {
      for (int i = 0; i < r; i++) row_[i] = right[i][s];
      sides_[s].resize(size_);
      if (q > 0) linalg::gemv(linalg::Op::none, r, q, -1.0, values_.get() + q, ld_, sides_[s].data(), 1.0, row_.data());
      if (r > 0) forward(r, column(q) + q, row_.data());
      std::copy(row_.begin(), row_.end(), sides_[s].begin() + q);
    }
  }

  // Append one row: cross (size) with the rows present, and its diagonal entry. Refuses, and leaves the factor as it was,
  // when the pivot is at most `least`.
  bool append(const double* cross, double diagonal, double least, const Sides& right = {}) {
    const int m = size_;
    reserve(m + 1);
    row_.assign(cross, cross + m);
    forward(m, values_.get(), row_.data());
    double pivot = diagonal;
    for (int i = 0; i < m; i++) pivot -= row_[i] * row_[i];
    if (!(pivot > least)) return false;
    const double root = std::sqrt(pivot);
    for (int i = 0; i < m; i++) column(i)[m] = row_[i];
    column(m)[m] = root;
    for (int s = 0; s < 2; s++) {
      double rest = right[s];
      for (int i = 0; i < m; i++) rest -= row_[i] * sides_[s][i];
      sides_[s].push_back(rest / root);
    }
    size_++;
    return true;
  }

  // Append a block: cross (size x k, column-major, overwritten), block (k x k, lower, overwritten), least[k] pivots allowed.
  bool append(int k, double* cross, double* block, const double* least, const std::vector<Sides>& right) {
    const int m = size_;
    if (k <= substitute_sides)
      kernels().substitute(m, values_.get(), ld_, k, cross, m);
    else
      linalg::solve_lower(m, k, values_.get(), ld_, cross, m);
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
    set_sides(m, right);
    return true;
  }

  // Drop rows and columns (positions ascending) in one sweep. A dropped column is carried along; each column behind it is
  // rotated with all that are carried, and moved to its place.
  void drop(const std::vector<int>& positions) {
    const int first = positions[0], tail = size_ - first;
    for (int j = 0; j < first; j++) keep_rows(positions, column(j));
    carried_sides_.resize(positions.size());
    carried_.resize(static_cast<size_t>(tail) * positions.size());
    cosines_.resize(positions.size());
    sines_.resize(positions.size());
    int count = 0;
    for (int j = first; j < size_; j++) {
      if (count < static_cast<int>(positions.size()) && positions[count] == j) {
        std::memcpy(carried(count, tail) + j - first, column(j) + j, (size_ - j) * sizeof(double));
        carried_sides_[count++] = {sides_[0][j], sides_[1][j]};
      } else {
        rotate_column(j, count, positions, tail);
      }
    }
    size_ -= count;
    for (auto& side : sides_) side.resize(size_);
  }

  // Keep only the rows `kept` of the rows from q on: columns before q stay valid, the caller refactors the rest.
  void compact(int q, const std::vector<int>& kept) {
    for (int j = 0; j < q; j++) {
      double* c = column(j);
      int into = q;
      for (int i : kept) c[into++] = c[i];
    }
    truncate(q);
  }

  // Refactor rows q.. of an r x r trailing block whose entries (lower) already stand in the columns q.., ld().
  bool refactor_tail(int q, int r, const std::vector<Sides>& right) {
    double* tail = column(q) + q;
    if (q > 0) linalg::syrk(linalg::Op::none, r, q, -1.0, values_.get() + q, ld_, 1.0, tail, ld_);
    if (linalg::cholesky(r, tail, ld_) != 0) return false;
    size_ = q + r;
    set_sides(q, right);
    return true;
  }

  void truncate(int size) {
    size_ = size;
    for (auto& side : sides_) side.resize(size);
  }
  void clear() { truncate(0); }

 private:
  // x = L^-1 x for r rows
  void forward(int r, const double* L, double* x) const { kernels().substitute(r, L, ld_, 1, x, r); }
  double* carried(int q, int tail) { return carried_.data() + static_cast<size_t>(q) * tail; }

  void keep_rows(const std::vector<int>& dropped, double* c) {
    for (size_t a = 0; a < dropped.size(); a++) {
      const int from = dropped[a] + 1, to = a + 1 < dropped.size() ? dropped[a + 1] : size_;
      std::memmove(c + from - static_cast<int>(a) - 1, c + from, (to - from) * sizeof(double));
    }
  }

  // Column j, the first `count` of the dropped ones before it, goes `count` places up and to the left.
  void rotate_column(int j, int count, const std::vector<int>& dropped, int tail) {
    const int first = dropped[0];
    const double* from = column(j);
    double* into = column(j - count);
    double corner = from[j];
    Sides x{sides_[0][j], sides_[1][j]};
    for (int q = 0; q < count; q++) {
      const double l = carried(q, tail)[j - first], length = std::hypot(corner, l), c = corner / length, s = l / length;
      corner = length;
      cosines_[q] = c;
      sines_[q] = s;
      for (int k = 0; k < 2; k++) {
        const double a = x[k], b = carried_sides_[q][k];
        x[k] = c * a + s * b;
        carried_sides_[q][k] = c * b - s * a;
      }
    }
    into[j - count] = corner;
    for (int k = 0; k < 2; k++) sides_[k][j - count] = x[k];
    for (int a = count, start = j + 1; start < size_; a++) {
      const int stop = a < static_cast<int>(dropped.size()) ? dropped[a] : size_;
      kernels().rotate(stop - start, count, cosines_.data(), sines_.data(), from + start, into + start - a, carried(0, tail) + start - first, tail);
      start = stop + 1;
    }
  }

  std::unique_ptr<double[]> values_;
  std::array<std::vector<double>, 2> sides_;
  std::vector<double> row_, carried_, cosines_, sines_;
  std::vector<Sides> carried_sides_;
  int size_ = 0, ld_ = 0;
};

}  // namespace shrinkage
