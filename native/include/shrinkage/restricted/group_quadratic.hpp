#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/group_bounds.hpp"

namespace shrinkage {

// A quadratic with a penalty on groups of columns: over U (columns x responses)
//   1/2 <U, HU> - <B, U> + strength (sum_j l1[j] |U_j|_1 + sum_g lam[g] |U_g|_2) + ridge / 2 sum_j l2[j] |U_j|^2,
// H symmetric, the columns of a group side by side. With several responses H acts on each alone: no Kronecker product.
//
// A step is a sweep over the groups that are not zero or should not be, each moved to the minimum of an upper bound, then
// a Newton step on the coefficients that are not zero: there the penalty is smooth. Newton's factor is kept, also from one
// strength to the next, as long as the support stands and the steps contract. Both moves lower the objective, or are not
// made: a Newton step is taken where the derivative along it has not turned.
//
// Coefficients may have bounds: the sweeps keep to them, and Newton steps hold those that stand at one.
class GroupQuadratic {
 public:
  using Index = std::int64_t;
  using Int = linalg::Int;

  explicit GroupQuadratic(int responses = 1) : K_(responses), start_(1, 0) {}

  int columns() const { return static_cast<int>(start_.back()); }
  int responses() const { return K_; }
  int groups() const { return static_cast<int>(lam_.size()); }
  const std::vector<double>& coefficients() const { return u_; }  // (responses x columns), a column's numbers side by side
  int support_size() const {
    return static_cast<int>(std::count_if(u_.begin(), u_.end(), [](double x) { return x != 0; }));
  }

  // Append groups: their sizes and weights, and the weights of their columns.
  void append(const std::int64_t* sizes, const double* lam, Index groups, const double* l1, const double* l2) {
    for (Index g = 0; g < groups; g++) {
      double most = 0;
      for (std::int64_t a = 0; a < sizes[g]; a++) most = std::max(most, l1[a]);
      l1_.insert(l1_.end(), l1, l1 + sizes[g]);
      l2_.insert(l2_.end(), l2, l2 + sizes[g]);
      l1 += sizes[g];
      l2 += sizes[g];
      lam_.push_back(lam[g]);
      unit_.push_back(lam[g] + most > 0 ? lam[g] + most : 1.0);
      bound_.push_back(-1.0);
      start_.push_back(start_.back() + static_cast<int>(sizes[g]));
    }
    u_.resize(static_cast<std::size_t>(columns()) * K_, 0.0);
  }

  // Hold the coefficients of all groups appended in bounds, lower <= 0 <= upper, among which they stand; `units` are
  // what conditions of groups are measured by where no penalty gives a unit.
  void hold(const double* lower, const double* upper, const double* units) {
    bounds_.set(lower, upper, u_.size());
    factored_.clear();
    for (int g = 0; g < static_cast<int>(lam_.size()); g++)
      if (lam_[g] == 0 && *std::max_element(&l1_[start_[g]], &l1_[start_[g]] + (start_[g + 1] - start_[g])) == 0) unit_[g] = units[g];
  }

  // Stand at given coefficients.
  void restart(const double* coef) {
    u_.assign(coef, coef + u_.size());
    factored_.clear();
  }

  // Minimize from where it stands, until no group misses its condition by more than `tol` of its share of the strength,
  // or `most` steps are made. H (columns x columns) with leading dimension ld; B (responses x columns). Returns the steps.
  int solve(const double* H, Index ld, const double* B, double strength, double ridge, double tol, int most) {
    H_ = H;
    ld_ = ld;
    strength_ = strength;
    ridge_ = ridge;
    for (std::size_t g = 0; g < lam_.size(); g++)
      if (bound_[g] < 0) bound_[g] = bound(static_cast<int>(g));
    residual(B);
    int steps = 0;
    find_support();
    if (!factored_.empty() && factored_ == support_) steps += newton();
    for (bool refused = false; steps < most; steps++) {
      check_interrupt();
      if (measure() <= tol) break;
      for (int more = refused ? 10 : 1; more > 0; more--)
        for (const int g : moving_) move(g);
      find_support();
      refused = !newton();
    }
    return steps;
  }

 private:
  static constexpr double contraction = 0.25;  // of the residual by a step with an old factor, above which it is renewed
  static constexpr int widest = 6000;          // largest support that is factored
  static constexpr int most_cuts = 30;         // Newton steps that are cut short before the next sweep

  int first(int g) const { return start_[g] * K_; }
  int last(int g) const { return start_[g + 1] * K_; }
  double soft(double x, double l1) const { return x > l1 ? x - l1 : x < -l1 ? x + l1 : 0.0; }

  double norm(const double* x, int g) const {
    double square = 0;
    for (int e = first(g); e < last(g); e++) square += x[e] * x[e];
    return std::sqrt(square);
  }

  // An upper bound of the largest eigenvalue of H on a group: the least of its row sums, its Frobenius norm, its trace.
  double bound(int g) const {
    double rows = 0, squares = 0, trace = 0;
    for (int j = start_[g]; j < start_[g + 1]; j++) {
      double row = 0;
      for (int i = start_[g]; i < start_[g + 1]; i++) {
        row += std::fabs(H_[i + j * ld_]);
        squares += H_[i + j * ld_] * H_[i + j * ld_];
      }
      rows = std::max(rows, row);
      trace += H_[j + j * ld_];
    }
    return std::min(rows, std::min(std::sqrt(squares), trace)) * (1 + 1e-12);
  }

  // r -= H[:, g] d, for d (responses x columns of g)
  void subtract(int g, const double* d, double* r) const {
    const Int size = start_[g + 1] - start_[g], m = columns();
    const double* H = H_ + start_[g] * ld_;
    if (K_ == 1)
      linalg::gemv(linalg::Op::none, m, size, -1.0, H, static_cast<Int>(ld_), d, 1.0, r);
    else
      linalg::gemm(linalg::Op::none, linalg::Op::transpose, K_, m, size, -1.0, d, K_, H, static_cast<Int>(ld_), 1.0, r, K_);
  }

  // r = B - HU
  void residual(const double* B) {
    r_.assign(B, B + u_.size());
    for (std::size_t g = 0; g < lam_.size(); g++)
      if (norm(u_.data(), static_cast<int>(g)) > 0) subtract(static_cast<int>(g), &u_[first(static_cast<int>(g))], r_.data());
  }

  // What the conditions lack, over a group's share of the strength; `moving_` are the groups that may move.
  double measure() {
    double worst = 0;
    moving_.clear();
    for (int g = 0; g < static_cast<int>(lam_.size()); g++) {
      const double length = norm(u_.data(), g);
      double missed = 0;
      if (length == 0) {
        for (int e = first(g); e < last(g); e++) missed += std::pow(bounds_.open(e, 0, soft(r_[e], strength_ * l1_[e / K_])), 2);
        missed = std::max(std::sqrt(missed) - strength_ * lam_[g], 0.0);
      } else {
        for (int e = first(g); e < last(g); e++) missed += std::pow(lacking(e, lam_[g] / length), 2);
        missed = std::sqrt(missed);
      }
      missed /= strength_ * unit_[g];
      if (length > 0 || missed > 0) moving_.push_back(g);
      worst = std::max(worst, missed);
    }
    return worst;
  }

  // What the gradient of everything but H leaves of r in one element of a group that is not zero.
  double lacking(int e, double pull) const {
    const double l1 = strength_ * l1_[e / K_], left = r_[e] - (ridge_ * l2_[e / K_] + strength_ * pull) * u_[e];
    return bounds_.open(e, u_[e], u_[e] > 0 ? left - l1 : u_[e] < 0 ? left + l1 : soft(left, l1));
  }

  // Move one group to the minimum of a bound of the objective: H on it replaced by a multiple of the identity.
  void move(int g) {
    double curvature = bound_[g], most = 0, square = 0;
    for (int j = start_[g]; j < start_[g + 1]; j++) most = std::max(most, ridge_ * l2_[j]);
    curvature += most;
    if (!(curvature > 0)) return;
    step_.resize(last(g) - first(g));
    for (int e = first(g); e < last(g); e++) {
      const double s = soft((curvature - ridge_ * l2_[e / K_]) * u_[e] + r_[e], strength_ * l1_[e / K_]);
      step_[e - first(g)] = s;
      square += s * s;
    }
    const double length = std::sqrt(square), left = length - strength_ * lam_[g], factor = left > 0 ? left / length / curvature : 0.0;
    if (bounds_.any())
      bounds_.shrink(first(g), last(g) - first(g), curvature, strength_ * lam_[g], step_.data());
    else
      for (double& s : step_) s *= factor;
    bool moved = false;
    for (int e = first(g); e < last(g); e++) {
      const double there = step_[e - first(g)];
      step_[e - first(g)] = there - u_[e];
      moved = moved || there != u_[e];
      u_[e] = there;
    }
    if (moved) subtract(g, step_.data(), r_.data());
  }

  void find_support() {
    support_.clear();
    for (int e = 0; e < static_cast<int>(u_.size()); e++)
      if (u_[e] != 0 && bounds_.inside(e, u_[e])) support_.push_back(e);
  }

  // Newton steps on the support, as long as they end near a zero on the way; false if none was made.
  bool newton() {
    bool made = support_.empty();
    cut_ = true;
    for (int more = most_cuts; cut_ && more > 0 && !support_.empty(); more--) {
      if (support_.size() > widest) return made;
      if (!(factored_ == support_ && descend()) && !(factor() && descend())) return made;
      made = true;
    }
    return made;
  }

  bool factor() {
    const Int n = static_cast<Int>(support_.size());
    factored_.clear();
    L_.resize(static_cast<std::size_t>(n) * n);
    for (double jitter = 1e-13; jitter < 1e-3; jitter *= 1e3) {
      fill(n, jitter);
      if (linalg::cholesky(n, L_.data(), n) == 0) {
        factored_ = support_;
        return true;
      }
    }
    return false;
  }

  // The Hessian of the objective on the support, lower triangle.
  void fill(Int n, double jitter) {
    for (Int b = 0; b < n; b++) {
      const double* H = H_ + support_[b] / K_ * ld_;
      double* to = L_.data() + static_cast<Index>(b) * n;
      if (K_ == 1)
        for (Int a = b; a < n; a++) to[a] = H[support_[a]];
      else
        for (Int a = b; a < n; a++) to[a] = support_[a] % K_ == support_[b] % K_ ? H[support_[a] / K_] : 0.0;
      to[b] += jitter * to[b] + ridge_ * l2_[support_[b] / K_] + std::numeric_limits<double>::min();
    }
    Int at = 0;
    for (int g = 0; g < static_cast<int>(lam_.size()) && at < n; g++) {
      Int end = at;
      while (end < n && support_[end] < last(g)) end++;
      if (end == at) continue;
      const double length = norm(u_.data(), g), pull = strength_ * lam_[g] / length;
      for (Int b = at; b < end; b++) {
        double* to = L_.data() + static_cast<Index>(b) * n;
        to[b] += pull;
        for (Int a = b; a < end; a++) to[a] -= pull * (u_[support_[a]] / length) * (u_[support_[b]] / length);
      }
      at = end;
    }
  }

  double gather_lacking() {
    double square = 0;
    lacking_.assign(u_.size(), 0.0);
    for (int g = 0; g < static_cast<int>(lam_.size()); g++) {
      const double length = norm(u_.data(), g);
      if (length == 0) continue;
      for (int e = first(g); e < last(g); e++)
        if (u_[e] != 0 && bounds_.inside(e, u_[e])) square += std::pow(lacking_[e] = lacking(e, lam_[g] / length), 2);
    }
    return square;
  }

  // Step along the Newton direction of the factor at hand, halved until the derivative at its end has not turned.
  bool descend() {
    const double before = gather_lacking();
    direction_.resize(support_.size());
    for (std::size_t a = 0; a < support_.size(); a++) direction_[a] = lacking_[support_[a]];
    const Int n = static_cast<Int>(support_.size());
    linalg::solve_lower(linalg::Op::none, n, L_.data(), n, direction_.data());
    linalg::solve_lower(linalg::Op::transpose, n, L_.data(), n, direction_.data());
    const double knot = first_knot();
    double t = 1;
    for (int trial = 0; trial < 12 && t > 0.05 * knot; trial++) {
      const double rise = try_step(t, before);
      if (rise <= 0.5) return true;
      t = t > knot ? std::max(knot, t * std::min(0.5, 1 / (1 + rise))) : 0.5 * t;
    }
    factored_.clear();
    return false;
  }

  // The share of the direction at which the first coefficient that an L1 part holds, or the first group, turns at zero, or
  // the first meets a bound.
  double first_knot() const {
    double most = 1;
    std::size_t a = 0;
    for (int g = 0; g < static_cast<int>(lam_.size()); g++) {
      double along = 0;
      for (; a < support_.size() && support_[a] < last(g); a++) {
        const int e = support_[a];
        most = bounds_.meets(e, u_[e], direction_[a], most);
        if (l1_[e / K_] > 0 && u_[e] * direction_[a] < 0) most = std::max(most, -direction_[a] / u_[e]);
        along -= direction_[a] * u_[e];
      }
      if (lam_[g] > 0 && along > 0) most = std::max(most, along / std::pow(norm(u_.data(), g), 2));
    }
    return 1 / most;
  }

  // Go a share of the direction, unless the objective rises too steeply at its end: how steeply, over its fall at the start.
  double try_step(double t, double before) {
    const double start = propose(t);
    if (!(start >= 0)) return std::numeric_limits<double>::infinity();
    next_ = r_;
    for (int g = 0; g < static_cast<int>(lam_.size()); g++)
      if (norm(move_.data(), g) > 0) subtract(g, &move_[first(g)], next_.data());
    const double rise = start > 0 ? derivative() / start : derivative() > 0;
    if (!(rise <= 0.5)) return rise;
    u_ = there_;
    r_ = next_;
    cut_ = t < 1;
    find_support();
    if (t < 1 || gather_lacking() > contraction * contraction * before) factored_.clear();
    return rise;
  }

  // u + t direction, with coefficients that an L1 part holds at zero where they cross it, and groups that turn around zero.
  // Returns how fast the objective falls at its start.
  double propose(double t) {
    there_ = u_;
    for (std::size_t a = 0; a < support_.size(); a++) there_[support_[a]] += t * direction_[a];
    move_.assign(u_.size(), 0.0);
    double start = 0;
    for (int g = 0; g < static_cast<int>(lam_.size()); g++) {
      double along = 0, square = 0;
      for (int e = first(g); e < last(g); e++) {
        if (l1_[e / K_] > 0 && (there_[e] * u_[e] < 0 || std::fabs(there_[e]) <= 1e-15 * std::fabs(u_[e]))) there_[e] = 0;
        there_[e] = bounds_.clipped(e, there_[e]);
        along += there_[e] * u_[e];
        square += u_[e] * u_[e];
      }
      for (int e = first(g); e < last(g); e++) {
        if (lam_[g] > 0 && along <= 1e-15 * square) there_[e] = 0;
        move_[e] = there_[e] - u_[e];
        start += lacking_[e] * move_[e];
      }
    }
    return start;
  }

  // The derivative of the objective along `move_` at its end, less what rounding may make of it.
  double derivative() const {
    double slope = 0;
    for (int g = 0; g < static_cast<int>(lam_.size()); g++) {
      const double length = norm(there_.data(), g), from = length > 0 ? length : norm(u_.data(), g);
      if (from == 0) continue;
      const std::vector<double>& towards = length > 0 ? there_ : u_;
      for (int e = first(g); e < last(g); e++) {
        if (move_[e] == 0) continue;
        const double sign = u_[e] > 0 ? 1.0 : u_[e] < 0 ? -1.0 : 0.0;
        const double penalty = ridge_ * l2_[e / K_] * there_[e] + strength_ * (l1_[e / K_] * sign + lam_[g] * towards[e] / from);
        slope += move_[e] * (penalty - next_[e]) - 1e-12 * strength_ * unit_[g] * std::fabs(move_[e]);
      }
    }
    return slope;
  }

  int K_;
  std::vector<int> start_;                            // of the columns of each group
  std::vector<double> l1_, l2_, lam_, unit_, bound_;  // of columns; of groups
  std::vector<double> u_, r_;                         // coefficients; B - HU
  GroupBounds bounds_;
  const double* H_ = nullptr;
  Index ld_ = 0;
  double strength_ = 0, ridge_ = 0;
  bool cut_ = false;  // the last Newton step was made shorter
  std::vector<int> moving_, support_, factored_;  // factored_: the support of the factor, empty if there is none
  std::vector<double> L_, step_, direction_, lacking_, there_, move_, next_;
};

}  // namespace shrinkage
