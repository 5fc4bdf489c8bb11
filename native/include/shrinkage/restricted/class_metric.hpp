#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/class_gram.hpp"
#include "shrinkage/restricted/columns.hpp"

namespace shrinkage {

// Columns of a ridge of several classes: dense ones, then compressed ones that are measured from their means. Coefficients
// are kept class by class of each column, vectors over rows have the rows of class after class. Owns nothing.
struct RidgeColumns {
  Columns dense, sparse;
  const double* means = nullptr;  // of the compressed columns
  int classes = 2;

  Index rows() const { return dense.rows; }
  int count() const { return dense.count + sparse.count; }

  // out = F B
  void times(const double* B, double* out) const {
    const int n = static_cast<int>(rows()), K = classes;
    linalg::gemm(linalg::Op::none, linalg::Op::transpose, n, K, dense.count, 1.0, dense.dense, static_cast<int>(dense.ld), B, K, 0.0, out, n);
    if (dense.count == 0) std::fill_n(out, rows() * K, 0.0);
    if (sparse.count == 0) return;
    const double* own = B + static_cast<Index>(dense.count) * K;
    for (int k = 0; k < K; k++) {
      double shift = 0, *into = out + k * rows();
      for (int j = 0; j < sparse.count; j++) {
        const double b = own[j * K + k];
        if (b == 0) continue;
        shift += b * means[j];
        for (Index z = sparse.starts[j]; z < sparse.starts[j + 1]; z++) into[sparse.row_of[z]] += b * sparse.values[z];
      }
      for (Index i = 0; i < rows(); i++) into[i] -= shift;
    }
  }

  // out = F'R
  void adjoint(const double* R, double* out) const {
    const int n = static_cast<int>(rows()), K = classes;
    linalg::gemm(linalg::Op::transpose, linalg::Op::none, K, dense.count, n, 1.0, R, n, dense.dense, static_cast<int>(dense.ld), 0.0, out, K);
    if (sparse.count == 0) return;
    double* own = out + static_cast<Index>(dense.count) * K;
    for (int k = 0; k < K; k++) {
      const double* from = R + k * rows();
      const double sum = std::accumulate(from, from + rows(), 0.0);
      for (int j = 0; j < sparse.count; j++) {
        double found = -means[j] * sum;
        for (Index z = sparse.starts[j]; z < sparse.starts[j + 1]; z++) found += sparse.values[z] * from[sparse.row_of[z]];
        own[j * K + k] = found;
      }
    }
  }

  // out[j K + k] = sum_i c_ik x_ij^2
  void squares(const double* c, double* out) const {
    const int K = classes;
    for (int k = 0; k < K; k++) {
      const double* own = c + k * rows();
      for (int j = 0; j < dense.count; j++) {
        double found = 0;
        for (Index i = 0; i < rows(); i++) found += own[i] * dense.dense[j * dense.ld + i] * dense.dense[j * dense.ld + i];
        out[j * K + k] = found;
      }
      const double sum = std::accumulate(own, own + rows(), 0.0);
      for (int j = 0; j < sparse.count; j++) {
        double found = means[j] * means[j] * sum;
        for (Index z = sparse.starts[j]; z < sparse.starts[j + 1]; z++)
          found += own[sparse.row_of[z]] * sparse.values[z] * (sparse.values[z] - 2 * means[j]);
        out[(dense.count + j) * K + k] = std::max(found, 0.0);
      }
    }
  }
};

// A Hessian met on the way, factored: of all classes together, of each class alone, or its diagonal, as size allows. One
// class is a loss of one predictor.
class ClassMetric {
 public:
  ClassMetric(const RidgeColumns& x, int n_free) : x_(x), n_free_(n_free) {
    const Index size = static_cast<Index>(x.count()) * x.classes;
    whole_ = x.sparse.count == 0 && size <= most_whole;
    by_class_ = x.sparse.count == 0 && !whole_ && x.count() <= most_by_class;
    const double n = static_cast<double>(x.rows()), q = x.count(), K = x.classes, s = static_cast<double>(size);
    if (whole_)
      cost_ = n * s * s / 2 + K * n * q * q / 2 + s * s * s / 6;
    else if (by_class_)
      cost_ = K * (n * q * q + q * q * q / 6);
    else
      cost_ = 100 * n * s;  // of ten steps: its gain is small
  }

  bool whole() const { return whole_; }
  double cost() const { return cost_; }  // multiplications of `factor`, about

  // Take the diagonal at the curvature v (see RowCurvature), or a factor where there is one.
  void begin(const double* v, double ridge) {
    groups_.clear();
    diagonal(v, ridge);
  }

  void factor(const double* v, double ridge) {
    diagonal(v, ridge);
    groups_.clear();
    if (!whole_ && !by_class_) return;
    const int q = x_.count(), K = x_.classes;
    groups_.resize(whole_ ? 1 : K);
    const Columns columns = x_.dense.for_classes(K);
    for (int g = 0; g < static_cast<int>(groups_.size()); g++) {
      Group& own = groups_[g];
      for (int at = whole_ ? 0 : g; at < q * K; at += whole_ ? 1 : K) own.picked.push_back(at);
      const int size = static_cast<int>(own.picked.size());
      own.values.assign(static_cast<size_t>(size) * size, 0.0);
      if (K > 1)
        gram_.add(columns, own.picked, 0, v, own.values.data(), size);
      else
        add_weighted_squares(v, own.values.data());
      for (int a = 0; a < size; a++) {
        double& entry = own.values[static_cast<size_t>(a) * size + a];
        entry += (own.picked[a] < n_free_ * K ? 1e-8 * diagonal_[own.picked[a]] + tiny : ridge) + 1e-13 * diagonal_[own.picked[a]];
      }
      check_interrupt();
      if (linalg::cholesky(size, own.values.data(), size) != 0) {
        groups_.clear();
        return;
      }
    }
  }

  // g = M^-1 g
  void solve(std::vector<double>& g) {
    if (groups_.empty()) {
      for (size_t a = 0; a < g.size(); a++) g[a] /= diagonal_[a];
      return;
    }
    for (const Group& own : groups_) {
      const int size = static_cast<int>(own.picked.size());
      part_.resize(size);
      for (int a = 0; a < size; a++) part_[a] = g[own.picked[a]];
      linalg::solve_lower(linalg::Op::none, size, own.values.data(), size, part_.data());
      linalg::solve_lower(linalg::Op::transpose, size, own.values.data(), size, part_.data());
      for (int a = 0; a < size; a++) g[own.picked[a]] = part_[a];
    }
  }

 private:
  static constexpr Index most_whole = 1500, block_rows = 512;
  static constexpr int most_by_class = 2000;
  static constexpr double tiny = 1e-300;
  struct Group {
    std::vector<int> picked;
    std::vector<double> values;
  };

  // The lower triangle of h += F'diag(v) F, of one class.
  void add_weighted_squares(const double* v, double* h) {
    const int q = x_.dense.count;
    bent_.resize(static_cast<size_t>(std::min<Index>(block_rows, x_.rows())) * q);
    for (Index start = 0; start < x_.rows(); start += block_rows) {
      check_interrupt();
      const Index rows = std::min(block_rows, x_.rows() - start);
      part_.resize(rows);
      for (Index i = 0; i < rows; i++) part_[i] = std::sqrt(v[start + i]);
      for (int j = 0; j < q; j++)
        for (Index i = 0; i < rows; i++) bent_[j * rows + i] = part_[i] * x_.dense.dense[j * x_.dense.ld + start + i];
      linalg::syrk(linalg::Op::transpose, q, static_cast<int>(rows), 1.0, bent_.data(), static_cast<int>(rows), 1.0, h, q);
    }
  }

  void diagonal(const double* v, double ridge) {
    const Index n = x_.rows();
    const int K = x_.classes;
    bent_.resize(n * K);
    for (Index i = 0; i < n; i++) {
      double total = 0;
      for (int k = 0; k < K; k++) total += v[k * n + i];
      for (int k = 0; k < K; k++) bent_[k * n + i] = K == 1 ? v[i] : total > 0 ? v[k * n + i] * (1 - v[k * n + i] / total) : 0.0;
    }
    diagonal_.resize(static_cast<size_t>(x_.count()) * K);
    x_.squares(bent_.data(), diagonal_.data());
    for (size_t a = 0; a < diagonal_.size(); a++) diagonal_[a] = std::max(diagonal_[a] + (a < static_cast<size_t>(n_free_) * K ? 0.0 : ridge), tiny);
  }

  RidgeColumns x_;
  int n_free_;
  bool whole_ = false, by_class_ = false;
  double cost_ = 0;
  ClassGram gram_;
  std::vector<Group> groups_;
  std::vector<double> diagonal_, bent_, part_;
};

}  // namespace shrinkage
