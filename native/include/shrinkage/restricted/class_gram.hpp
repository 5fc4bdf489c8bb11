#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/columns.hpp"
#include "shrinkage/restricted/row_curvature.hpp"

namespace shrinkage {

// X_K' C X_K for candidates K of several classes and the curvature C of a multinomial with weights v_ik:
//
//   H[(j, k), (m, l)] = [k = l] sum_i v_ik x_ij x_im - sum_i (v_ik x_ij) (v_il x_im) / v_i,   v_i = sum_k v_ik.
//
// The second part is one product of all candidates by BLAS, the first one for each class. A few new columns go one by one.
class ClassGram {
 public:
  // Add rows from.. of the lower triangle to h (column-major), which holds zeros there.
  void add(const Columns& x, const std::vector<int>& picked, int from, const double* v, double* h, Index ld) {
    const int k = static_cast<int>(picked.size());
    if (x.dense && k - from > few)
      add_blocks(x, picked, from, v, h, ld);
    else
      add_columns(x, picked, from, v, h, ld);
  }

 private:
  static constexpr int few = 4;
  static constexpr Index block_rows = 512;

  void add_columns(const Columns& x, const std::vector<int>& picked, int from, const double* v, double* h, Index ld) {
    const RowCurvature curvature(v, x.rows * x.classes, x.classes);
    bent_.resize(x.rows * x.classes);
    products_.resize(picked.size());
    for (int c = from; c < static_cast<int>(picked.size()); c++) {
      check_interrupt();
      const double minus = -1;
      std::fill(bent_.begin(), bent_.end(), 0.0);
      x.subtract(&picked[c], 1, &minus, bent_.data());
      curvature.apply(bent_.data(), bent_.data());
      x.dots(picked.data(), c + 1, bent_.data(), products_.data());
      for (int a = 0; a <= c; a++) h[a * ld + c] = products_[a];
    }
  }

  void add_blocks(const Columns& x, const std::vector<int>& picked, int from, const double* v, double* h, Index ld) {
    const int size = static_cast<int>(picked.size());
    by_class(x, picked, from);
    inverse_.resize(x.rows);
    RowCurvature(v, x.rows * x.classes, x.classes).inverse_roots(inverse_.data());
    const Index tall = std::min(block_rows, x.rows);
    scaled_.resize(static_cast<size_t>(tall) * size);
    for (Index start = 0; start < x.rows; start += tall) {
      check_interrupt();
      const Index rows = std::min(tall, x.rows - start);
      for (int c = 0; c < size; c++) {
        const double *column = x.dense + (picked[c] / x.classes) * x.ld, *own = v + (picked[c] % x.classes) * x.rows;
        double* into = scaled_.data() + c * rows;
        for (Index i = 0; i < rows; i++) into[i] = own[start + i] * inverse_[start + i] * column[start + i];
      }
      multiply(scaled_.data(), static_cast<int>(rows), size, from, -1.0, h, ld);
      for (int k = 0; k < x.classes; k++) add_own(x, picked, k, v, start, rows);
    }
    for (int k = 0; k < x.classes; k++) {
      const std::vector<int>& own = places_[k];
      const int m = static_cast<int>(own.size());
      for (int a = 0; a < m; a++)
        for (int b = std::max(a, firsts_[k]); b < m; b++) h[own[a] * ld + own[b]] += own_[k][static_cast<size_t>(a) * m + b];
    }
  }

  // The candidates of each class, in their order, and which of them is the first new one.
  void by_class(const Columns& x, const std::vector<int>& picked, int from) {
    places_.assign(x.classes, {});
    firsts_.assign(x.classes, 0);
    own_.resize(x.classes);
    for (int c = 0; c < static_cast<int>(picked.size()); c++) {
      const int k = picked[c] % x.classes;
      if (c < from) firsts_[k]++;
      places_[k].push_back(c);
    }
    for (int k = 0; k < x.classes; k++) own_[k].assign(places_[k].size() * places_[k].size(), 0.0);
  }

  void add_own(const Columns& x, const std::vector<int>& picked, int k, const double* v, Index start, Index rows) {
    const int m = static_cast<int>(places_[k].size());
    if (firsts_[k] == m) return;
    root_.resize(rows);
    for (Index i = 0; i < rows; i++) root_[i] = std::sqrt(v[k * x.rows + start + i]);
    for (int a = 0; a < m; a++) {
      const double* column = x.dense + (picked[places_[k][a]] / x.classes) * x.ld + start;
      double* into = scaled_.data() + a * rows;
      for (Index i = 0; i < rows; i++) into[i] = root_[i] * column[i];
    }
    multiply(scaled_.data(), static_cast<int>(rows), m, firsts_[k], 1.0, own_[k].data(), m);
  }

  // Rows from.. of the lower triangle of h += factor A'A, A (rows x size)
  static void multiply(const double* A, int rows, int size, int from, double factor, double* h, Index ld) {
    using linalg::Op;
    if (from > 0)
      linalg::gemm(Op::transpose, Op::none, size - from, from, rows, factor, A + static_cast<Index>(from) * rows, rows, A, rows, 1.0, h + from,
                   static_cast<int>(ld));
    linalg::syrk(Op::transpose, size - from, rows, factor, A + static_cast<Index>(from) * rows, rows, 1.0, h + from * ld + from,
                 static_cast<int>(ld));
  }

  std::vector<double> scaled_, inverse_, root_, bent_, products_;
  std::vector<std::vector<double>> own_;  // by class: products of its candidates
  std::vector<std::vector<int>> places_;  // by class: its candidates
  std::vector<int> firsts_;
};

}  // namespace shrinkage
