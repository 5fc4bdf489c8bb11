#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/penalties/sorted_l1.hpp"

namespace shrinkage {

// Minimizes 1/2 u'Hu - c'u + sum_k lam_k |u|_(k), lam = alpha weights.
//
// A proximal gradient step splits clusters of equal |u_j| that violate their conditions. On the clusters of now, in their
// order, the objective is a quadratic of one size each: a Newton step goes to its minimum, or merges the clusters that
// would pass each other. Both lower the objective, so clusters come to rest.
class SortedDescent {
 public:
  // H (size x size) with ld, column-major, both triangles; c (size); weights (size), falling
  SortedDescent(const double* H, Index ld, const double* c, const double* weights, int size)
      : H_(H), ld_(ld), c_(c), weights_(weights), size_(size), lam_(size), g_(size), next_(size), penalty_(nullptr) {}

  // From u, in place; until the violation is at most `tol`, or `most` steps. Returns the steps.
  int solve(double alpha, double tol, int most, double* u) {
    for (int k = 0; k < size_; k++) lam_[k] = alpha * weights_[k];
    penalty_ = SortedL1(lam_.data());
    if (steepest_ == 0) steepest_ = largest_curvature();
    for (int step = 0;; step++) {
      check_interrupt();
      read_gradient(u);
      lacking_ = penalty_.violation(size_, u, g_.data());
      if (lacking_ <= tol || step >= most || !(steepest_ > 0)) return step;
      proximal_step(u);
      for (int merges = 0; merges <= size_ && !newton_step(u); merges++) {}
    }
  }

  double largest_lack() const { return lacking_; }

  // The objective at u, whose gradient the last call of `solve` has read.
  double objective(const double* u) {
    double value = penalty_.value(size_, u);
    for (int j = 0; j < size_; j++) value -= 0.5 * u[j] * (c_[j] + g_[j]);
    return value;
  }

 private:
  void read_gradient(const double* u) {
    std::copy_n(c_, size_, g_.begin());
    for (int j = 0; j < size_; j++)
      if (u[j] != 0) add(-u[j], H_ + j * ld_, size_, g_.data());
  }

  static void add(double times, const double* column, int size, double* to) {
    for (int i = 0; i < size; i++) to[i] += times * column[i];
  }

  // An estimate of the largest eigenvalue of H from below; a step that is too long for it raises it.
  double largest_curvature() {
    std::vector<double> x(size_, 1.0), y(size_);
    double length = 0;
    for (int round = 0; round < 12; round++) {
      std::fill(y.begin(), y.end(), 0.0);
      for (int j = 0; j < size_; j++) add(x[j], H_ + j * ld_, size_, y.data());
      double squares = 0;
      for (double value : y) squares += value * value;
      length = std::sqrt(squares);
      if (length == 0) break;
      for (int j = 0; j < size_; j++) x[j] = y[j] / length;
    }
    double diagonal = 0;
    for (int j = 0; j < size_; j++) diagonal = std::max(diagonal, H_[j * ld_ + j]);
    return std::max(length, diagonal);
  }

  // u = prox(u + g / L), with L raised until the quadratic lies below its bound.
  void proximal_step(double* u) {
    std::vector<double>& ahead = ahead_;
    ahead.resize(size_);
    for (int tries = 0; tries < 60; tries++) {
      for (int j = 0; j < size_; j++) ahead[j] = u[j] + g_[j] / steepest_;
      penalty_.prox(size_, ahead.data(), 1.0 / steepest_, next_.data());
      if (bounded(u)) break;
      steepest_ *= 2;
    }
    std::copy(next_.begin(), next_.end(), u);
  }

  bool bounded(const double* u) {
    std::vector<double>& product = product_;
    product.assign(size_, 0.0);
    double squares = 0, curved = 0;
    for (int j = 0; j < size_; j++)
      if (next_[j] != u[j]) add(next_[j] - u[j], H_ + j * ld_, size_, product.data());
    for (int j = 0; j < size_; j++) {
      const double d = next_[j] - u[j];
      squares += d * d;
      curved += d * product[j];
    }
    return curved <= steepest_ * squares * (1 + 1e-12);
  }

  // One Newton step on the clusters of u; true where it needed no merging, or there is nothing to move.
  bool newton_step(double* u) {
    read_clusters(u);
    const int q = static_cast<int>(sizes_.size());
    if (q == 0) return true;
    reduce(u);
    step_.resize(q);
    for (int a = 0; a < q; a++) {
      double slope = linear_[a];
      for (int b = 0; b < q; b++) slope -= reduced_[static_cast<std::size_t>(b) * q + a] * sizes_[b];
      step_[a] = slope;
    }
    slope_ = step_;
    if (!factored(q, 1e-13) && !factored(q, 1e-8)) return true;
    linalg::solve_lower(linalg::Op::none, q, factor_.data(), q, step_.data());
    linalg::solve_lower(linalg::Op::transpose, q, factor_.data(), q, step_.data());
    const bool whole = in_order(q);
    if (!whole && !pooled(q, 1.0) && !pooled(q, 0.5) && !pooled(q, 0.25) && !pooled(q, 0.1) && !pooled(q, 0.03) && !pooled(q, 0.01)) to_first_meeting(q);
    for (int a = 0; a < q; a++)
      for (int k = starts_[a]; k < starts_[a + 1]; k++) {
        const int j = order_[k];
        u[j] = sizes_[a] > 0 ? std::copysign(sizes_[a], u[j]) : 0.0;
      }
    return whole;
  }

  void read_clusters(const double* u) {
    penalty_.sort(size_, u);
    order_ = penalty_.order();
    starts_.assign(1, 0);
    sizes_.clear();
    for (int k = 0; k < size_ && u[order_[k]] != 0; k++) {
      const double size = std::fabs(u[order_[k]]);
      if (sizes_.empty() || sizes_.back() - size > SortedL1::tie * std::fabs(u[order_[0]])) {
        if (!sizes_.empty()) starts_.push_back(k);
        sizes_.push_back(size);
      }
      last_ = k + 1;
    }
    if (!sizes_.empty()) starts_.push_back(last_);
  }

  // The quadratic in the sizes of the clusters: reduced (q x q) and linear (q), the penalty included.
  void reduce(const double* u) {
    const int q = static_cast<int>(sizes_.size());
    reduced_.assign(static_cast<std::size_t>(q) * q, 0.0);
    linear_.assign(q, 0.0);
    std::vector<double>& column = product_;
    for (int b = 0; b < q; b++) {
      column.assign(size_, 0.0);
      for (int k = starts_[b]; k < starts_[b + 1]; k++) {
        const int j = order_[k];
        const double sign = std::copysign(1.0, u[j]);
        add(sign, H_ + j * ld_, size_, column.data());
        linear_[b] += sign * c_[j] - lam_[k];
      }
      for (int a = 0; a < q; a++) {
        double sum = 0;
        for (int k = starts_[a]; k < starts_[a + 1]; k++) sum += std::copysign(1.0, u[order_[k]]) * column[order_[k]];
        reduced_[static_cast<std::size_t>(b) * q + a] = sum;
      }
    }
  }

  bool factored(int q, double ridge) {
    factor_ = reduced_;
    double most = 0;
    for (int a = 0; a < q; a++) most = std::max(most, reduced_[static_cast<std::size_t>(a) * (q + 1)]);
    for (int a = 0; a < q; a++) factor_[static_cast<std::size_t>(a) * (q + 1)] += ridge * most;
    return linalg::cholesky(q, factor_.data(), q) == 0;
  }

  // Take the step if the sizes keep their order and stay above 0.
  bool in_order(int q) {
    for (int a = 0; a < q; a++) {
      const double below = a + 1 < q ? sizes_[a + 1] + step_[a + 1] : 0.0;
      if (!(sizes_[a] + step_[a] > below)) return false;
    }
    for (int a = 0; a < q; a++) sizes_[a] += step_[a];
    return true;
  }

  // The change of the reduced objective along a move.
  double change(int q, const double* move) const {
    double value = 0;
    for (int b = 0; b < q; b++) {
      double product = 0;
      for (int a = 0; a < q; a++) product += reduced_[static_cast<std::size_t>(b) * q + a] * move[a];
      value += move[b] * (0.5 * product - slope_[b]);
    }
    return value;
  }

  // Take a share of the step with sizes that would pass each other pooled, if that lowers the objective.
  bool pooled(int q, double share) {
    there_.resize(q);
    merged_.resize(q);
    metric_.resize(q);
    for (int a = 0; a < q; a++) {
      there_[a] = sizes_[a] + share * step_[a];
      metric_[a] = std::max(reduced_[static_cast<std::size_t>(a) * (q + 1)], 1e-300);
    }
    isotonic_.fall(q, there_.data(), metric_.data(), merged_.data());
    for (int a = 0; a < q; a++) {
      merged_[a] = std::max(merged_[a], 0.0);
      there_[a] = merged_[a] - sizes_[a];
    }
    if (!(change(q, there_.data()) < 0)) return false;
    sizes_ = merged_;
    return true;
  }

  // Go along the step until two sizes meet, or one meets 0.
  void to_first_meeting(int q) {
    double t = 1;
    int first = -1;
    for (int a = 0; a < q; a++) {
      const double apart = sizes_[a] - (a + 1 < q ? sizes_[a + 1] : 0.0), closing = (a + 1 < q ? step_[a + 1] : 0.0) - step_[a];
      if (closing <= 0 || apart > t * closing) continue;
      t = apart / closing;
      first = a;
    }
    for (int a = 0; a < q; a++) sizes_[a] += t * step_[a];
    if (first >= 0) sizes_[first] = first + 1 < q ? sizes_[first + 1] : 0.0;
  }

  const double* H_;
  Index ld_;
  const double *c_, *weights_;
  int size_, last_ = 0;
  double steepest_ = 0, lacking_ = 0;
  std::vector<double> lam_, g_, next_;
  SortedL1 penalty_;
  Isotonic isotonic_;
  std::vector<int> order_, starts_;  // coordinates by falling |u|; cluster a holds places starts[a] to starts[a + 1]
  std::vector<double> sizes_, reduced_, linear_, factor_, step_, slope_, there_, merged_, metric_;
  std::vector<double> ahead_, product_;
};

}  // namespace shrinkage
