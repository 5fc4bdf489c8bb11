#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/restricted/factor.hpp"
#include "shrinkage/restricted/quadratic.hpp"

namespace shrinkage {

// Block active-set method for  min_v  1/2 v'Hv - c'v + strength sum_j l1[j] |v_j|  on a working set.
//
// Kept between strengths: the support A with its signs s, the coefficients b on it, the Cholesky factor of H[A, A], and the
// gradient c - Hb. Each step solves H_AA v = c_A - strength l1_A s_A; coordinates that change sign leave together, the
// worst violators enter together. When the objective fails to fall twice, moves become single and the objective falls
// strictly at each, so the method ends. Where the support meets the rank of H, a column enters by exchange:
// a walk along the null direction, which leaves the fit as it is, until one coefficient reaches zero.
class ActiveSet {
 public:
  int max_support = std::numeric_limits<int>::max();  // the rank of H where ridge is 0

  int support_size() const { return static_cast<int>(support_.size()); }
  const std::vector<int>& support() const { return support_; }
  const std::vector<double>& coefficients() const { return coefficients_; }
  const std::vector<double>& gradient() const { return gradient_; }  // c - Hv over the working set, after solve
  double last_strength() const { return last_strength_; }

  // Point to the quadratic, whose working set may have grown at its end; call before a run of strengths.
  void attach(const Quadratic& q) {
    const bool new_ridge = q.ridge != quadratic_.ridge;
    quadratic_ = q;
    state_.resize(q.size, out);
    gradient_.resize(q.size);
    scattered_.assign(q.size, 0.0);
    if (new_ridge) refactor(0);
    update_gradient();
  }

  // The same, where c - Hb is known already.
  void attach(const Quadratic& q, const double* gradient) {
    if (q.ridge != quadratic_.ridge) return attach(q);
    quadratic_ = q;
    state_.resize(q.size, out);
    scattered_.assign(q.size, 0.0);
    gradient_.assign(gradient, gradient + q.size);
  }

  void set_ridge(double ridge) {
    if (ridge == quadratic_.ridge) return;
    quadratic_.ridge = ridge;
    refactor(0);
    update_gradient();
  }

  // Start again from a dense vector (size): the solution at `strength`, or a guess.
  void restart(const Quadratic& q, const double* v, double strength) {
    quadratic_ = q;
    state_.assign(q.size, out);
    gradient_.resize(q.size);
    scattered_.assign(q.size, 0.0);
    support_.clear();
    signs_.clear();
    coefficients_.clear();
    for (int j = 0; j < q.size; j++) {
      if (v[j] == 0) continue;
      support_.push_back(j);
      signs_.push_back(v[j] > 0 ? 1.0 : -1.0);
      coefficients_.push_back(v[j]);
      state_[j] = in;
    }
    factor_.clear();
    refactor(0);
    last_strength_ = strength;
    update_gradient();
  }

  // Keep the support and its factor, renumbered: coordinate j of the old working set is place[j] of the new one.
  void renumber(const std::vector<int>& place, int size) {
    std::vector<char> state(size, out);
    for (size_t j = 0; j < state_.size() && j < place.size(); j++)
      if (place[j] >= 0) state[place[j]] = state_[j];
    state_.swap(state);
    for (int& j : support_) j = place[j];
  }

  // Minimize at one strength. A jump far down is walked in hidden steps: from a distant start the support would overshoot.
  int solve_continued(double strength, double tol) {
    int steps = 0;
    if (last_strength_ <= 0)
      for (int j = 0; j < quadratic_.size; j++) last_strength_ = std::max(last_strength_, std::fabs(gradient_[j]) / quadratic_.l1[j]);
    while (strength < 0.6 * last_strength_) steps += solve(std::max(strength, 0.7 * last_strength_), tol);
    return steps + solve(strength, tol);
  }

  // Minimize at one strength, warm-started; tol is relative to strength l1[j]. Returns the number of steps.
  int solve(double strength, double tol) {
    int steps = 0, failures = 0;
    bool single = false;
    double best = std::numeric_limits<double>::infinity();
    pick_candidates(strength);
    while (steps < max_steps) {
      steps++;
      if (support_size() > 0) {
        const double objective = step_to_minimizer(strength, single);
        if (std::isnan(objective)) continue;  // coordinates left the support
        if (!single && !(objective < best - 1e-15 * std::fabs(objective)) && std::isfinite(best) && ++failures >= 2) single = true;
        best = std::min(best, objective);
      }
      update_candidate_gradient();
      find_violators(candidates_, strength, tol);
      if (violators_.empty()) {
        update_gradient();
        find_violators_everywhere(strength, tol);
        if (violators_.empty()) break;
        candidates_.insert(candidates_.end(), violators_.begin(), violators_.end());
      }
      keep_worst(single ? 1 : std::max(10, support_size() / 16));
      append_violators();
    }
    for (char& s : state_)
      if (s == refused) s = out;
    last_strength_ = strength;
    return steps;
  }

 private:
  enum State : char { out = 0, in = 1, refused = 2 };
  static constexpr int max_steps = 5000;

  // --- one step ---------------------------------------------------------------------------------------------------
  // Moves to the minimizer on the support and returns its objective; NaN if coordinates changed sign and left instead.
  double step_to_minimizer(double strength, bool single) {
    const int m = support_size();
    right_.resize(m);
    for (int i = 0; i < m; i++) right_[i] = quadratic_.linear[support_[i]] - strength * quadratic_.l1[support_[i]] * signs_[i];
    target_ = right_;
    factor_.solve(target_.data());
    leaving_.clear();
    for (int i = 0; i < m; i++)
      if (target_[i] * signs_[i] <= 0) leaving_.push_back(i);
    if (!leaving_.empty()) {
      if (single) step_to_first_crossing();
      drop(leaving_);
      return std::numeric_limits<double>::quiet_NaN();
    }
    double objective = 0;
    for (int i = 0; i < m; i++) {
      coefficients_[i] = target_[i];
      objective -= 0.5 * right_[i] * target_[i];
    }
    return objective;
  }

  void step_to_first_crossing() {
    double fraction = 2;
    int first = leaving_[0];
    for (int i : leaving_) {
      const double change = target_[i] - coefficients_[i];
      const double at = change != 0 ? -coefficients_[i] / change : 0;
      if (at < fraction) {
        fraction = at;
        first = i;
      }
    }
    fraction = std::min(1.0, std::max(0.0, fraction));
    for (int i = 0; i < support_size(); i++) {
      coefficients_[i] += fraction * (target_[i] - coefficients_[i]);
      if (coefficients_[i] * signs_[i] < 0) coefficients_[i] = 0;
    }
    leaving_.assign(1, first);
  }

  // --- who may enter ------------------------------------------------------------------------------------------------
  void pick_candidates(double strength) {
    const double threshold = strength - std::max(0.0, last_strength_ - strength);
    candidates_.clear();
    for (int j = 0; j < quadratic_.size; j++)
      if (state_[j] != out || std::fabs(gradient_[j]) >= threshold * quadratic_.l1[j]) candidates_.push_back(j);
  }

  bool violates(int j, double strength, double tol) const {
    return state_[j] == out && std::fabs(gradient_[j]) > strength * quadratic_.l1[j] * (1 + tol);
  }
  void find_violators(const std::vector<int>& among, double strength, double tol) {
    violators_.clear();
    for (int j : among)
      if (violates(j, strength, tol)) violators_.push_back(j);
  }
  void find_violators_everywhere(double strength, double tol) {
    violators_.clear();
    for (int j = 0; j < quadratic_.size; j++)
      if (violates(j, strength, tol)) violators_.push_back(j);
  }
  void keep_worst(size_t most) {
    if (violators_.size() > most) {
      const auto worse = [this](int a, int b) {
        return std::fabs(gradient_[a]) * quadratic_.l1[b] > std::fabs(gradient_[b]) * quadratic_.l1[a];
      };
      std::nth_element(violators_.begin(), violators_.begin() + most, violators_.end(), worse);
      violators_.resize(most);
    }
    std::sort(violators_.begin(), violators_.end());
  }

  // --- gradients ----------------------------------------------------------------------------------------------------
  void update_low_rank_product() {
    const Quadratic& q = quadratic_;
    low_rank_product_.assign(q.rank, 0.0);
    for (int i = 0; i < support_size(); i++) {
      const double* u = q.low_rank + support_[i] * q.ld_low_rank;
      for (int k = 0; k < q.rank; k++) low_rank_product_[k] += coefficients_[i] * u[k];
    }
  }

  void update_gradient() {
    const Quadratic& q = quadratic_;
    const int m = support_size();
    std::copy(q.linear, q.linear + q.size, gradient_.begin());
    scaled_.resize(m);
    for (int i = 0; i < m; i++) scaled_[i] = q.scale * coefficients_[i];
    kernels().subtract_columns(q.gram, q.ld, q.size, support_.data(), m, scaled_.data(), gradient_.data());
    if (q.low_rank && m) {
      update_low_rank_product();
      linalg::gemv(linalg::Op::transpose, q.rank, q.size, 1.0, q.low_rank, static_cast<int>(q.ld_low_rank), low_rank_product_.data(), 1.0,
                   gradient_.data());
    }
    for (int i = 0; i < m; i++) gradient_[support_[i]] -= q.curvature_of_ridge(support_[i]) * coefficients_[i];
  }

  void update_candidate_gradient() {
    const Quadratic& q = quadratic_;
    const int m = support_size();
    outside_.clear();
    for (int j : candidates_)
      if (state_[j] == out) outside_.push_back(j);
    for (int i = 0; i < m; i++) scattered_[support_[i]] = q.scale * coefficients_[i];
    scaled_.resize(outside_.size());
    kernels().picked_dots(q.gram, q.ld, q.size, outside_.data(), static_cast<Index>(outside_.size()), scattered_.data(), scaled_.data());
    for (size_t k = 0; k < outside_.size(); k++) gradient_[outside_[k]] = q.linear[outside_[k]] - scaled_[k];
    for (int i = 0; i < m; i++) scattered_[support_[i]] = 0;
    if (q.low_rank && m) {
      update_low_rank_product();
      kernels().picked_dots(q.low_rank, q.ld_low_rank, q.rank, outside_.data(), static_cast<Index>(outside_.size()), low_rank_product_.data(),
                            scaled_.data());
      for (size_t k = 0; k < outside_.size(); k++) gradient_[outside_[k]] += scaled_[k];
    }
  }

  // --- the factor of H[A, A] ------------------------------------------------------------------------------------------
  void gather_low_rank(const std::vector<int>& columns, size_t from, std::vector<double>& into) {
    const Quadratic& q = quadratic_;
    into.resize(static_cast<size_t>(q.rank) * std::max<size_t>(1, columns.size() - from));
    for (size_t i = from; i < columns.size(); i++)
      std::copy_n(q.low_rank + columns[i] * q.ld_low_rank, q.rank, into.data() + (i - from) * q.rank);
  }

  // column j of H on the support
  void cross_with_support(int j, std::vector<double>& into) {
    const Quadratic& q = quadratic_;
    const int m = support_size();
    into.resize(m);
    const double* column = q.gram + j * q.ld;
    for (int i = 0; i < m; i++) into[i] = q.scale * column[support_[i]];
    if (q.low_rank && m) {
      gather_low_rank(support_, 0, low_rank_support_);
      linalg::gemv(linalg::Op::transpose, q.rank, m, -1.0, low_rank_support_.data(), q.rank, q.low_rank + j * q.ld_low_rank, 1.0, into.data());
    }
  }

  void enter(int j, double sign, double coefficient) {
    support_.push_back(j);
    signs_.push_back(sign);
    coefficients_.push_back(coefficient);
    state_[j] = in;
  }

  bool append_one(int j, double sign, double coefficient) {
    if (support_size() >= max_support) return false;
    cross_with_support(j, cross_);
    if (!factor_.append(cross_.data(), quadratic_.diagonal(j), quadratic_.least_pivot(j))) return false;
    enter(j, sign, coefficient);
    return true;
  }

  bool append_block(const std::vector<int>& block) {
    const Quadratic& q = quadratic_;
    const int m = support_size(), k = static_cast<int>(block.size());
    cross_.resize(static_cast<size_t>(std::max(m, 1)) * k);
    square_.resize(static_cast<size_t>(k) * k);
    least_.resize(k);
    for (int a = 0; a < k; a++) {
      const double* column = q.gram + block[a] * q.ld;
      for (int i = 0; i < m; i++) cross_[static_cast<size_t>(a) * m + i] = q.scale * column[support_[i]];
      for (int i = a; i < k; i++) square_[static_cast<size_t>(a) * k + i] = q.scale * column[block[i]];
      square_[static_cast<size_t>(a) * k + a] += q.curvature_of_ridge(block[a]);
      least_[a] = q.least_pivot(block[a]);
    }
    if (q.low_rank) {
      gather_low_rank(block, 0, low_rank_block_);
      if (m) {
        gather_low_rank(support_, 0, low_rank_support_);
        linalg::gemm(linalg::Op::transpose, linalg::Op::none, m, k, q.rank, -1.0, low_rank_support_.data(), q.rank, low_rank_block_.data(),
                     q.rank, 1.0, cross_.data(), m);
      }
      linalg::syrk(linalg::Op::transpose, k, q.rank, -1.0, low_rank_block_.data(), q.rank, 1.0, square_.data(), k);
    }
    if (!factor_.append(k, cross_.data(), square_.data(), least_.data())) return false;
    for (int j : block) enter(j, sign_of_gradient(j), 0.0);
    return true;
  }

  double sign_of_gradient(int j) const { return gradient_[j] > 0 ? 1.0 : -1.0; }

  void append_violators() {
    const int k = static_cast<int>(violators_.size());
    if (k >= 4 && support_size() + k <= max_support && append_block(violators_)) return;
    bool added = false;
    for (int j : violators_) {
      if (append_one(j, sign_of_gradient(j), 0.0)) {
        added = true;
        continue;
      }
      if (!added && !exchange(j, sign_of_gradient(j))) state_[j] = refused;
      break;  // a refused candidate is looked at again after the next step
    }
  }

  // Column j depends on the support: walk along the null direction, which leaves the fit and lowers the norm, until one
  // coefficient is zero; that one leaves and j takes its place.
  bool exchange(int j, double sign) {
    const int m = support_size();
    cross_with_support(j, target_);
    factor_.solve(target_.data());
    double step = std::numeric_limits<double>::infinity();
    int first = -1;
    for (int i = 0; i < m; i++) {
      const double rate = -sign * target_[i];
      if (rate * signs_[i] < -1e-14 && -coefficients_[i] / rate < step) {
        step = -coefficients_[i] / rate;
        first = i;
      }
    }
    if (first < 0) return false;
    step = std::max(step, 0.0);
    for (int i = 0; i < m; i++) {
      coefficients_[i] -= step * sign * target_[i];
      if (coefficients_[i] * signs_[i] < 0) coefficients_[i] = 0;
    }
    drop(std::vector<int>(1, first));
    return append_one(j, sign, sign * step);
  }

  // positions ascending
  void drop(const std::vector<int>& positions) {
    const int m = support_size(), first = positions[0], tail = m - first;
    double rotations = 0;
    for (int p : positions) rotations += 2.0 * (m - p) * (m - p) + 0.3 * m * p;
    const double refactoring = 0.12 * (static_cast<double>(tail) * tail * first + static_cast<double>(tail) * tail * tail / 3) + tail * tail;
    for (int p : positions) state_[support_[p]] = out;
    if (rotations <= (positions.size() == 1 ? 2 : 1) * refactoring) {
      for (size_t a = positions.size(); a-- > 0;) {
        factor_.drop(positions[a]);
        erase_position(positions[a]);
      }
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
      support_[into] = support_[i];
      signs_[into] = signs_[i];
      coefficients_[into++] = coefficients_[i];
    }
    resize_support(into);
    refactor(first);
  }

  void erase_position(int p) {
    support_.erase(support_.begin() + p);
    signs_.erase(signs_.begin() + p);
    coefficients_.erase(coefficients_.begin() + p);
  }
  void resize_support(int size) {
    support_.resize(size);
    signs_.resize(size);
    coefficients_.resize(size);
  }

  // Rebuild the factor from position q on; columns that depend on the ones before them are left out.
  void refactor(int q) {
    const Quadratic& h = quadratic_;
    const int m = support_size(), r = m - q;
    if (r <= 0) {
      factor_.truncate(m);
      return;
    }
    factor_.truncate(q);
    factor_.reserve(m);
    for (int j = q; j < m; j++) {
      const double* column = h.gram + support_[j] * h.ld;
      double* into = factor_.column(j);
      for (int i = j; i < m; i++) into[i] = h.scale * column[support_[i]];
      into[j] += h.curvature_of_ridge(support_[j]);
    }
    if (h.low_rank) {
      gather_low_rank(support_, q, low_rank_support_);
      linalg::syrk(linalg::Op::transpose, r, h.rank, -1.0, low_rank_support_.data(), h.rank, 1.0, factor_.column(q) + q, factor_.ld());
    }
    if (factor_.refactor_tail(q, r)) return;
    rebuild_one_by_one(q);
  }

  void rebuild_one_by_one(int q) {
    const std::vector<int> support(support_.begin() + q, support_.end());
    const std::vector<double> signs(signs_.begin() + q, signs_.end()), coefficients(coefficients_.begin() + q, coefficients_.end());
    for (int j : support) state_[j] = out;
    resize_support(q);
    factor_.truncate(q);
    for (size_t i = 0; i < support.size(); i++) append_one(support[i], signs[i], coefficients[i]);
  }

  Quadratic quadratic_;
  Factor factor_;
  std::vector<int> support_, candidates_, violators_, outside_, leaving_;
  std::vector<double> signs_, coefficients_, gradient_, right_, target_, scattered_, scaled_;
  std::vector<double> cross_, square_, least_, low_rank_support_, low_rank_block_, low_rank_product_;
  std::vector<char> state_;
  double last_strength_ = 0;
};

}  // namespace shrinkage
