#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/restricted/factor.hpp"
#include "shrinkage/restricted/quadratic.hpp"

namespace shrinkage {

// The support A of a vector on a working set, with its signs and coefficients, and the Cholesky factor of H[A, A].
// Columns enter one by one or in blocks; one that depends on those present is refused, or enters by exchange.
class Support {
 public:
  enum State : char { out = 0, in = 1, refused = 2 };

  Quadratic quadratic;
  int max_size = std::numeric_limits<int>::max();  // the rank of H where ridge is 0

  int size() const { return static_cast<int>(features_.size()); }
  const std::vector<int>& features() const { return features_; }
  const std::vector<double>& signs() const { return signs_; }
  std::vector<double>& coefficients() { return coefficients_; }
  const std::vector<double>& coefficients() const { return coefficients_; }
  char state(int j) const { return state_[j]; }
  void refuse(int j) { state_[j] = refused; }
  void release() {
    for (char& s : state_)
      if (s == refused) s = out;
  }

  void take_signs_of_coefficients() {
    for (int i = 0; i < size(); i++) signs_[i] = coefficients_[i] < 0 ? -1.0 : 1.0;
    update_sides(0);
  }

  void resize_working_set(int size) { state_.resize(size, out); }

  // x = H[A, A]^-1 x
  void solve(double* x) {
    catch_up();
    factor_.solve(x);
  }

  // x = H[A, A]^-1 linear[A]
  void solve_linear(double* x) {
    catch_up();
    factor_.solve_sides(0.0, x);
  }
  // x = H[A, A]^-1 (linear[A] - strength l1[A] signs); where the factor lags, up to tol strength l1[A], from the
  // coefficients and their gradient (of the working set), and `left` is what is left.
  void solve_stationary(double strength, double tol, const double* gradient, double* x) {
    if (lag_ != 0) {
      left_.resize(size());
      for (int i = 0; i < size(); i++) left_[i] = gradient[features_[i]] - strength * quadratic.l1[features_[i]] * signs_[i];
      std::copy(coefficients_.begin(), coefficients_.end(), x);
      if (conjugate_steps(strength, tol, x)) return;
      catch_up();
    }
    factor_.solve_sides(-strength, x);
  }
  const std::vector<double>& left() const { return left_; }

  // The factor is that of H with `quadratic.ridge`, which may be ahead of or behind the ridge of the problem.
  bool lags() const { return lag_ != 0; }
  double ridge() const { return quadratic.ridge - lag_; }
  void catch_up() {
    if (lag_ != 0) factor_at(ridge(), ridge());
  }
  double curvature_of_ridge(int j) const { return quadratic.l2 ? ridge() * quadratic.l2[j] : ridge(); }

  // Take another quadratic; the factor, and where its ridge stands, stay.
  void point_to(const Quadratic& q) {
    const double factored = quadratic.ridge;
    quadratic = q;
    quadratic.ridge = factored;
  }

  // The ridge of the problem is another one. Where it falls in small steps, one factor serves several of them.
  void set_ridge(double to) {
    const double from = ridge(), factored = quadratic.ridge;
    const bool small = size() >= least_lagging && to < from && from - to <= near * to;
    if (small && std::fabs(factored - to) <= near * to) {
      lag_ = factored - to;
      return;
    }
    factor_at(small ? to / (1 + near) : to, to);
  }

  // Factor at a ridge, for a problem that may have another; false if the factor at hand is that one.
  bool factor_at(double factored, double to) {
    const bool other = quadratic.ridge != factored;
    quadratic.ridge = factored;
    lag_ = factored - to;
    if (other) refactor(0);
    return other;
  }

  // The quadratic's linear part changed, or its l1: on the rows from q on.
  void update_sides(int q) {
    collect_sides(features_.data() + q, signs_.data() + q, size() - q);
    factor_.set_sides(q, right_);
  }

  // Start again from a dense vector.
  void start_at(double ridge, const double* v) {
    quadratic.ridge = ridge;
    lag_ = 0;
    state_.assign(quadratic.size, out);
    resize_support(0);
    for (int j = 0; j < quadratic.size; j++)
      if (v[j] != 0) enter(j, v[j] > 0 ? 1.0 : -1.0, v[j]);
    factor_.clear();
    refactor(0);
  }

  // Keep the support and its factor, renumbered: coordinate j of the old working set is place[j] of the new one.
  void renumber(const std::vector<int>& place, int size) {
    std::vector<char> state(size, out);
    for (size_t j = 0; j < state_.size() && j < place.size(); j++)
      if (place[j] >= 0) state[place[j]] = state_[j];
    state_.swap(state);
    for (int& j : features_) j = place[j];
  }

  bool append_one(int j, double sign, double coefficient) {
    if (size() >= max_size) return false;
    cross_with_support(j, cross_);
    const Factor::Sides right{quadratic.linear[j], quadratic.l1[j] * sign};
    if (!factor_.append(cross_.data(), quadratic.diagonal(j), quadratic.least_pivot(j), right)) return false;
    enter(j, sign, coefficient);
    return true;
  }

  // All of them or none.
  bool append_block(const std::vector<int>& block, const double* gradient) {
    const Quadratic& q = quadratic;
    const int m = size(), k = static_cast<int>(block.size());
    cross_.resize(static_cast<size_t>(std::max(m, 1)) * k);
    square_.resize(static_cast<size_t>(k) * k);
    least_.resize(k);
    for (int a = 0; a < k; a++) {
      const double* column = q.gram + block[a] * q.ld;
      for (int i = 0; i < m; i++) cross_[static_cast<size_t>(a) * m + i] = q.scale * column[features_[i]];
      for (int i = a; i < k; i++) square_[static_cast<size_t>(a) * k + i] = q.scale * column[block[i]];
      square_[static_cast<size_t>(a) * k + a] += q.curvature_of_ridge(block[a]);
      least_[a] = q.least_pivot(block[a]);
    }
    if (q.low_rank) {
      gather_low_rank(block, 0, low_rank_block_);
      if (m) {
        gather_low_rank(features_, 0, low_rank_support_);
        linalg::gemm(linalg::Op::transpose, linalg::Op::none, m, k, q.rank, -1.0, low_rank_support_.data(), q.rank, low_rank_block_.data(), q.rank,
                     1.0, cross_.data(), m);
      }
      linalg::syrk(linalg::Op::transpose, k, q.rank, -1.0, low_rank_block_.data(), q.rank, 1.0, square_.data(), k);
    }
    entering_signs_.resize(k);
    for (int a = 0; a < k; a++) entering_signs_[a] = gradient[block[a]] > 0 ? 1.0 : -1.0;
    collect_sides(block.data(), entering_signs_.data(), k);
    if (!factor_.append(k, cross_.data(), square_.data(), least_.data(), right_)) return false;
    for (int a = 0; a < k; a++) enter(block[a], entering_signs_[a], 0.0);
    return true;
  }

  // Column j depends on the support: walk along the null direction, which leaves the fit and lowers the norm, until one
  // coefficient is zero; that one leaves and j takes its place.
  bool exchange(int j, double sign) {
    const bool lagged = lags();
    catch_up();
    if (lagged && append_one(j, sign, 0.0)) return true;  // those that it depended on are out
    const int m = size();
    cross_with_support(j, null_);
    factor_.solve(null_.data());
    double step = std::numeric_limits<double>::infinity();
    int first = -1;
    for (int i = 0; i < m; i++) {
      const double rate = -sign * null_[i];
      if (rate * signs_[i] < -1e-14 && -coefficients_[i] / rate < step) {
        step = -coefficients_[i] / rate;
        first = i;
      }
    }
    if (first < 0) return false;
    step = std::max(step, 0.0);
    for (int i = 0; i < m; i++) {
      coefficients_[i] -= step * sign * null_[i];
      if (coefficients_[i] * signs_[i] < 0) coefficients_[i] = 0;
    }
    drop(std::vector<int>(1, first));
    return append_one(j, sign, sign * step);
  }

  // positions ascending
  void drop(const std::vector<int>& positions) {
    const int m = size(), first = positions[0], tail = m - first;
    double sweep = 0;  // nanoseconds, measured for sizes from 250 to 4,000
    for (int p : positions) sweep += 0.4 * (m - p) * (m - p);
    const double refactoring = 0.04 * (static_cast<double>(tail) * tail * first + static_cast<double>(tail) * tail * tail / 3) + tail * tail;
    for (int p : positions) state_[features_[p]] = out;
    if (sweep <= refactoring) {
      factor_.drop(positions);
      for (size_t a = positions.size(); a-- > 0;) erase_position(positions[a]);
      return;
    }
    std::vector<int> kept;
    size_t next = 0;
    for (int i = first; i < m; i++) {
      if (next < positions.size() && positions[next] == i)
        next++;
      else
        kept.push_back(i);
    }
    factor_.compact(first, kept);
    int into = first;
    for (int i : kept) {
      features_[into] = features_[i];
      signs_[into] = signs_[i];
      coefficients_[into++] = coefficients_[i];
    }
    resize_support(into);
    refactor(first);
  }

  // Rebuild the factor from position q on; columns that depend on the ones before them are left out.
  void refactor(int q) {
    const Quadratic& h = quadratic;
    const int m = size(), r = m - q;
    if (r <= 0) {
      factor_.truncate(m);
      return;
    }
    factor_.truncate(q);
    factor_.reserve(m);
    for (int j = q; j < m; j++) {
      const double* column = h.gram + features_[j] * h.ld;
      double* into = factor_.column(j);
      for (int i = j; i < m; i++) into[i] = h.scale * column[features_[i]];
      into[j] += h.curvature_of_ridge(features_[j]);
    }
    if (h.low_rank) {
      gather_low_rank(features_, q, low_rank_support_);
      linalg::syrk(linalg::Op::transpose, r, h.rank, -1.0, low_rank_support_.data(), h.rank, 1.0, factor_.column(q) + q, factor_.ld());
    }
    collect_sides(features_.data() + q, signs_.data() + q, r);
    if (factor_.refactor_tail(q, r, right_)) return;
    rebuild_one_by_one(q);
  }

 private:
  static constexpr double near = 0.2;       // of the ridge: steps that one factor may be away from it
  static constexpr int least_lagging = 48;   // columns from which refactoring costs more than conjugate gradients
  static constexpr int most_conjugate = 20;  // steps; four or five are usual

  // Conjugate gradients from x, of which left_ = b - Hx is known, towards H^-1 b, with M = H + lag diag(l2), whose factor
  // is at hand, as the preconditioner: products with H come from those with M that the recursion knows. False if it does
  // not get there.
  bool conjugate_steps(double strength, double tol, double* x) {
    const Quadratic& h = quadratic;
    const int m = size();
    along_.assign(m, 0.0);
    product_.assign(m, 0.0);
    double before = 1;
    for (int step = 0; step < most_conjugate; step++) {
      bool done = true;
      for (int i = 0; i < m && done; i++) done = std::fabs(left_[i]) <= tol * strength * h.l1[features_[i]];
      if (done) return true;
      moved_ = left_;
      factor_.solve(moved_.data());
      double square = 0, curvature = 0;
      for (int i = 0; i < m; i++) square += left_[i] * moved_[i];
      for (int i = 0; i < m; i++) {
        along_[i] = moved_[i] + square / before * along_[i];
        product_[i] = left_[i] + square / before * product_[i];
        curvature += along_[i] * (product_[i] - lag_ * weight(i) * along_[i]);
      }
      if (!(curvature > 0)) return false;
      const double length = square / curvature;
      for (int i = 0; i < m; i++) {
        x[i] += length * along_[i];
        left_[i] -= length * (product_[i] - lag_ * weight(i) * along_[i]);
      }
      before = square;
    }
    return false;
  }

  double weight(int i) const { return quadratic.l2 ? quadratic.l2[features_[i]] : 1.0; }

  void collect_sides(const int* features, const double* signs, int count) {
    right_.resize(count);
    for (int i = 0; i < count; i++) right_[i] = {quadratic.linear[features[i]], quadratic.l1[features[i]] * signs[i]};
  }

  void gather_low_rank(const std::vector<int>& columns, size_t from, std::vector<double>& into) {
    const Quadratic& q = quadratic;
    into.resize(static_cast<size_t>(q.rank) * std::max<size_t>(1, columns.size() - from));
    for (size_t i = from; i < columns.size(); i++) std::copy_n(q.low_rank + columns[i] * q.ld_low_rank, q.rank, into.data() + (i - from) * q.rank);
  }

  // column j of H on the support
  void cross_with_support(int j, std::vector<double>& into) {
    const Quadratic& q = quadratic;
    const int m = size();
    into.resize(m);
    const double* column = q.gram + j * q.ld;
    for (int i = 0; i < m; i++) into[i] = q.scale * column[features_[i]];
    if (q.low_rank && m) {
      removed_.resize(m);
      kernels().picked_dots(q.low_rank, q.ld_low_rank, q.rank, features_.data(), m, q.low_rank + j * q.ld_low_rank, removed_.data());
      for (int i = 0; i < m; i++) into[i] -= removed_[i];
    }
  }

  void enter(int j, double sign, double coefficient) {
    features_.push_back(j);
    signs_.push_back(sign);
    coefficients_.push_back(coefficient);
    state_[j] = in;
  }

  void erase_position(int p) {
    features_.erase(features_.begin() + p);
    signs_.erase(signs_.begin() + p);
    coefficients_.erase(coefficients_.begin() + p);
  }
  void resize_support(int size) {
    features_.resize(size);
    signs_.resize(size);
    coefficients_.resize(size);
  }

  void rebuild_one_by_one(int q) {
    const std::vector<int> support(features_.begin() + q, features_.end());
    const std::vector<double> signs(signs_.begin() + q, signs_.end()), coefficients(coefficients_.begin() + q, coefficients_.end());
    for (int j : support) state_[j] = out;
    resize_support(q);
    factor_.truncate(q);
    for (size_t i = 0; i < support.size(); i++) append_one(support[i], signs[i], coefficients[i]);
  }

  Factor factor_;
  double lag_ = 0;  // of the problem's ridge behind the factor's
  std::vector<double> left_, moved_, along_, product_;  // of conjugate gradients
  std::vector<Factor::Sides> right_;
  std::vector<int> features_;
  std::vector<double> signs_, coefficients_, cross_, square_, least_, null_, removed_, entering_signs_;
  std::vector<double> low_rank_support_, low_rank_block_;
  std::vector<char> state_;
};

}  // namespace shrinkage
