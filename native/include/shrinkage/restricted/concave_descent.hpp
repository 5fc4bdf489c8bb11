#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/penalties/concave.hpp"

namespace shrinkage {

// A stationary point of 1/2 u'Hu - c'u + sum_j p(|u_j|), p with lam_j = alpha f_j, which lies no higher than the start.
//
// Coordinates are minimized in turn, each globally, over those that are not 0 or violate; then all others are looked at.
// Once a sweep leaves every coordinate on its piece of the penalty, the objective is a quadratic there, and a Newton step
// goes to its minimum or to the first knot on the way. Each of these lowers the objective.
template <class Penalty>
class ConcaveDescent {
 public:
  // H (size x size) with ld, column-major, both triangles; c, factors (size). A column of diagonal 0 does not move.
  ConcaveDescent(const Penalty& penalty, const double* H, Index ld, const double* c, const double* factors, int size)
      : penalty_(penalty), H_(H), ld_(ld), c_(c), factors_(factors), size_(size), g_(size) {}

  // From u, in place; until no coordinate lacks more than `tol` of its condition, or `most` sweeps. Returns the sweeps.
  int solve(double alpha, double tol, int most, double* u) {
    alpha_ = alpha;
    int sweeps = 0;
    for (;;) {
      read_gradient(u);
      list_.clear();
      lacking_ = 0;
      for (int j = 0; j < size_; j++) {
        const double lam = alpha * factors_[j], missing = H_[j * ld_ + j] > 0 ? lacking(penalty_, u[j], g_[j], lam) : 0.0;
        lacking_ = std::max(lacking_, missing);
        if (u[j] != 0 || missing > 0) list_.push_back(j);
      }
      if (lacking_ <= tol || sweeps >= most) return sweeps;
      gather(u);
      sweeps += descend(0.5 * tol, most - sweeps);
      for (std::size_t a = 0; a < list_.size(); a++) u[list_[a]] = u_[a];
    }
  }

  double largest_lack() const { return lacking_; }

  // The objective at u, whose gradient the last call of `solve` has read.
  double objective(const double* u) const {
    double value = 0;
    for (int j = 0; j < size_; j++)
      if (u[j] != 0) value += penalty_.value(std::fabs(u[j]), alpha_ * factors_[j]) - 0.5 * u[j] * (c_[j] + g_[j]);
    return value;
  }

 private:
  static constexpr int longest_wait = 64;

  void read_gradient(const double* u) {
    std::copy_n(c_, size_, g_.begin());
    for (int j = 0; j < size_; j++)
      if (u[j] != 0) subtract(u[j], H_ + j * ld_, size_, g_.data());
  }

  static void subtract(double by, const double* column, int size, double* from) {
    for (int i = 0; i < size; i++) from[i] -= by * column[i];
  }

  void gather(const double* u) {
    const std::size_t m = list_.size();
    own_.resize(m * m);
    u_.resize(m);
    own_g_.resize(m);
    lam_.resize(m);
    for (std::size_t b = 0; b < m; b++) {
      const double* column = H_ + list_[b] * ld_;
      for (std::size_t a = 0; a < m; a++) own_[b * m + a] = column[list_[a]];
      u_[b] = u[list_[b]];
      own_g_[b] = g_[list_[b]];
      lam_[b] = alpha_ * factors_[list_[b]];
    }
  }

  int descend(double tol, int most) {
    int wait = 1, until_newton = 1;
    for (int sweep = 1;; sweep++) {
      check_interrupt();
      const bool changed = sweep_once();
      if (sweep >= most || worst() <= tol) return sweep;
      if (--until_newton > 0 || changed) continue;
      if (newton_step()) {
        if (worst() <= tol) return sweep;
        wait = 1;
      } else {
        wait = std::min(2 * wait, longest_wait);
      }
      until_newton = wait;
    }
  }

  // Minimize over each coordinate in turn; has one changed its piece?
  bool sweep_once() {
    const int m = static_cast<int>(list_.size());
    bool changed = false;
    for (int a = 0; a < m; a++) {
      const double* column = &own_[static_cast<std::size_t>(a) * m];
      const double old = u_[a], h = column[a], now = h > 0 ? least_of(penalty_, own_g_[a] + h * old, h, lam_[a]) : old;
      if (now == old) continue;
      changed = changed || (old > 0) != (now > 0) || (old < 0) != (now < 0) ||
                penalty_.piece(std::fabs(old), lam_[a]).low != penalty_.piece(std::fabs(now), lam_[a]).low;
      subtract(now - old, column, m, own_g_.data());
      u_[a] = now;
    }
    return changed;
  }

  double worst() const {
    double most = 0;
    for (std::size_t a = 0; a < list_.size(); a++)
      if (own_[a * (list_.size() + 1)] > 0) most = std::max(most, lacking(penalty_, u_[a], own_g_[a], lam_[a]));
    return most;
  }

  // Go to the minimum of the quadratic on the pieces of now, or to the first knot; false where that is no minimum, or no way.
  bool newton_step() {
    support_.clear();
    const int all = static_cast<int>(list_.size());
    for (int a = 0; a < all; a++)
      if (u_[a] != 0) support_.push_back(a);
    const int m = static_cast<int>(support_.size());
    if (m == 0) return false;
    step_.resize(m);
    for (int b = 0; b < m; b++) {
      const int j = support_[b];
      step_[b] = own_g_[j] - std::copysign(penalty_.slope(std::fabs(u_[j]), lam_[j]), u_[j]);
    }
    if (!factored(m, 0) && !factored(m, 1e-10) && !factored(m, 1e-7)) return false;
    linalg::solve_lower(linalg::Op::none, m, factor_.data(), m, step_.data());
    linalg::solve_lower(linalg::Op::transpose, m, factor_.data(), m, step_.data());
    return move(m);
  }

  // Factor the Hessian on the pieces, with a share `ridge` of its largest diagonal entry added to all of them: where columns
  // depend on each other, a step that is too short but goes down. False where it is not well positive definite.
  bool factored(int m, double ridge) {
    const std::size_t all = list_.size();
    factor_.resize(static_cast<std::size_t>(m) * m);
    double most = 0;
    for (int b = 0; b < m; b++) {
      const int j = support_[b];
      double* into = &factor_[static_cast<std::size_t>(b) * m];
      for (int a = b; a < m; a++) into[a] = own_[j * all + support_[a]];
      most = std::max(most, into[b]);
      into[b] -= penalty_.piece(std::fabs(u_[j]), lam_[j]).bend;
    }
    for (int b = 0; b < m; b++) factor_[static_cast<std::size_t>(b) * (m + 1)] += ridge * most;
    if (linalg::cholesky(m, factor_.data(), m) != 0) return false;
    double least = most;
    for (int b = 0; b < m; b++) {
      const double pivot = factor_[static_cast<std::size_t>(b) * (m + 1)];
      least = std::min(least, pivot * pivot);
    }
    return least > 1e-12 * most;
  }

  bool move(int m) {
    double t = 1;
    int first = -1;
    for (int b = 0; b < m; b++) {
      const int j = support_[b];
      const double size = std::fabs(u_[j]), along = u_[j] > 0 ? step_[b] : -step_[b];
      const Piece piece = penalty_.piece(size, lam_[j]);
      const double edge = along > 0 ? piece.high : piece.low;
      if (along == 0 || !((edge - size) / along < t)) continue;
      t = std::max((edge - size) / along, 0.0);
      first = b;
    }
    if (!(t > 0)) return false;
    for (int b = 0; b < m; b++) {
      const int j = support_[b];
      double moved = t * step_[b];
      if (b == first) {  // exactly to its knot
        const Piece piece = penalty_.piece(std::fabs(u_[j]), lam_[j]);
        const double edge = (u_[j] > 0) == (step_[b] > 0) ? piece.high : piece.low;
        moved = std::copysign(edge, u_[j]) - u_[j];
      }
      u_[j] += moved;
      if (b == first && std::fabs(u_[j]) < 1e-300) u_[j] = 0;
      subtract(moved, &own_[static_cast<std::size_t>(j) * list_.size()], static_cast<int>(list_.size()), own_g_.data());
    }
    return true;
  }

  Penalty penalty_;
  const double* H_;
  Index ld_;
  const double *c_, *factors_;
  int size_;
  double alpha_ = 0, lacking_ = 0;
  std::vector<double> g_;                          // c - Hu on all coordinates
  std::vector<int> list_, support_;                // coordinates that move, and those of them that are not 0
  std::vector<double> own_, u_, own_g_, lam_;      // H, u, c - Hu and lam on them
  std::vector<double> factor_, step_;
};

// The same from two starts: a point at hand, and the minimum of the convex penalty of the same slope at 0, the lasso. Where
// columns are correlated each often ends lower than the other.
template <class Penalty>
class TwoStarts {
 public:
  TwoStarts(const Penalty& penalty, const double* H, Index ld, const double* c, const double* factors, int size)
      : concave_(penalty, H, ld, c, factors, size), lasso_({straight}, H, ld, c, factors, size), lasso_u_(size), other_(size) {}

  // From u, in place, to the lower of the two; `value` is its objective. Returns the sweeps.
  int solve(double alpha, double tol, int most, double* u, double& value) {
    int sweeps = concave_.solve(alpha, tol, most, u);
    value = concave_.objective(u);
    sweeps += lasso_.solve(alpha, std::max(tol, rough * alpha), most, lasso_u_.data());
    other_ = lasso_u_;
    sweeps += concave_.solve(alpha, tol, most, other_.data());
    const double there = concave_.objective(other_.data());
    if (there < value - noise * std::fabs(value)) {
      std::copy(other_.begin(), other_.end(), u);
      value = there;
    }
    return sweeps;
  }

 private:
  static constexpr double straight = 1e100;  // the gamma at which MCP is the L1 norm
  static constexpr double rough = 1e-2;      // of the strength: what a start may lack
  static constexpr double noise = 1e-12;     // of an objective: less tells no minimum from another

  ConcaveDescent<Penalty> concave_;
  ConcaveDescent<Mcp> lasso_;
  std::vector<double> lasso_u_, other_;
};

}  // namespace shrinkage
