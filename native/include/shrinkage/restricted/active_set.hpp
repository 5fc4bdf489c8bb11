#pragma once
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/restricted/support.hpp"
#include "shrinkage/restricted/working_gradient.hpp"

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
  enum Side : char { up = 1, down = 2 };  // from 0

  void set_max_support(int size) { support_.max_size = size; }  // the rank of H where ridge is 0
  int max_support() const { return support_.max_size; }
  int support_size() const { return support_.size(); }
  const std::vector<int>& support() const { return support_.features(); }
  const std::vector<double>& coefficients() const { return support_.coefficients(); }
  const std::vector<double>& gradient() const { return gradient_.values(); }  // c - Hv over the working set, after solve
  // x = H[A, A]^-1 x on the support
  void solve_on_support(double* x) { support_.solve(x); }
  // Stand at b (size), which has this support and these signs.
  void move_to(const double* b) {
    for (int i = 0; i < support_size(); i++) support_.coefficients()[i] = b[support()[i]];
  }
  double last_strength() const { return last_strength_; }
  int repairs() const { return repairs_; }  // how often conjugate steps had not ended where they said

  // Point to the quadratic, whose working set may have grown at its end; call before a run of strengths.
  void attach(const Quadratic& q) {
    const bool grown = only_grown(q);
    const int known = quadratic().size;
    point_to(q);
    if (grown) {
      extend_gradient(known);
      set_ridge(q.ridge);
    } else {
      before_.clear();
      use_ridge(q.ridge);
      gradient_.update(support_);
    }
    settle();
  }

  // The same, where c - Hb is known already.
  void attach(const Quadratic& q, const double* gradient) {
    if (q.ridge != quadratic().ridge) return attach(q);
    point_to(q);
    before_.clear();
    use_ridge(q.ridge);
    gradient_.assign(gradient, q.size);
    settle();
  }

  // The same, where each coordinate may only be on the sides that are open to it: what is on a closed one leaves. They hold
  // until the next call of this kind.
  void attach(const Quadratic& q, const char* sides) {
    point_to(q);
    before_.clear();
    sides_ = sides;
    leaving_.clear();
    for (int i = 0; i < support_size(); i++)
      if (!open(support()[i], support_.signs()[i])) leaving_.push_back(i);
    if (!leaving_.empty()) support_.drop(leaving_);
    use_ridge(q.ridge);
    gradient_.update(support_);
    settle();
  }

  void set_ridge(double ridge) {
    const double change = ridge - support_.ridge();
    if (change == 0) return;
    const int size = support_size();
    support_.set_ridge(ridge);
    if (support_size() < size) return gradient_.update(support_);
    for (int i = 0; i < size; i++) {
      const int j = support()[i];
      gradient_[j] -= change * (quadratic().l2 ? quadratic().l2[j] : 1.0) * coefficients()[i];
    }
  }

  // Start again from a dense vector (size): the solution at `strength`, or a guess.
  void restart(const Quadratic& q, const double* v, double strength, const char* sides = nullptr) {
    point_to(q);
    sides_ = sides;
    before_.clear();
    support_.start_at(q.ridge, v);
    last_strength_ = strength;
    gradient_.update(support_);
    settle();
  }

  // Keep the support and its factor, renumbered: coordinate j of the old working set is place[j] of the new one.
  void renumber(const std::vector<int>& place, int size) {
    linear_.clear();
    before_.clear();
    support_.renumber(place, size);
  }

  // Minimize at one strength >= 0. A jump far down is walked in hidden steps: from a distant start the support would
  // overshoot. A strength of zero, or lost in the rounding of the gradient, ends at one of the unpenalized minimizers.
  int solve_continued(double strength, double tol) {
    int steps = 0;
    const double least = faint * largest_ratio(quadratic().linear), within_reach = std::max(strength, least);
    if (last_strength_ <= 0) last_strength_ = largest_ratio(gradient_.data());
    while (within_reach < 0.6 * last_strength_) steps += solve(std::max(within_reach, 0.7 * last_strength_), tol);
    return steps + (strength > least ? solve(strength, tol) : solve_unpenalized(strength, least));
  }

  // Minimize at one strength, warm-started; tol is relative to strength l1[j]. Returns the number of steps.
  int solve(double strength, double tol) {
    int steps = 0, failures = 0;
    bool single = false, roughly = support_.lags();  // until nobody enters or leaves
    linear_.clear();  // until the end
    exchanges_ = 0;
    tol = std::max(tol, rounding * largest_ratio(quadratic().linear) / strength);
    double best = std::numeric_limits<double>::infinity();
    pick_candidates(strength, tol);
    append_expected();
    while (steps < max_steps) {
      steps++;
      check_interrupt();
      if (steps > most_rough) roughly = false;
      const double accuracy = roughly ? std::max(tol, rough) : tol;
      if (support_size() > 0) {
        double objective = 0;
        if (!step_to_minimizer(strength, accuracy, single, objective)) continue;
        if (!roughly && !single && !(objective < best - 1e-15 * std::fabs(objective)) && std::isfinite(best) && ++failures >= 2) {
          single = true;
          support_.catch_up();  // so that the objective is that of the target
        }
        if (!roughly) best = std::min(best, objective);
      }
      update_candidate_gradient();
      find_violators(candidates_, strength, accuracy);
      if (violators_.empty() && std::exchange(roughly, false)) continue;
      if (violators_.empty()) {
        gradient_.update(support_);
        if (support_.lags() && !gradient_.stationary(support_, strength, 4 * tol)) {
          support_.catch_up();  // what was left was known by its recursion alone
          repairs_++;
          continue;
        }
        find_violators_everywhere(strength, tol);
        if (violators_.empty()) break;
        candidates_.insert(candidates_.end(), violators_.begin(), violators_.end());
        std::sort(candidates_.begin(), candidates_.end());  // one may have been there, an ulp below the limit
        candidates_.erase(std::unique(candidates_.begin(), candidates_.end()), candidates_.end());
      }
      keep_worst(single ? 1 : std::max(10, support_size() / 16));
      append_violators();
    }
    if (steps == max_steps) gradient_.update(support_);
    support_.release();
    if (!(before_strength_ > strength)) before_.clear();
    last_strength_ = strength;
    settle();
    return steps;
  }

 private:
  static constexpr double allowance = 0.1;  // for gradients that turn, as a share of the step in strength
  static constexpr int max_steps = 5000;
  static constexpr int most_rough = 8;       // steps
  static constexpr double rough = 1e-4;      // of the strength: what a rough step may leave of the gradient on the support
  static constexpr double faint = 1e-13;     // of the strength that zeroes everything
  static constexpr double rounding = 1e-15;  // of a gradient, as a share of the same: nobody violates by less

  const Quadratic& quadratic() const { return support_.quadratic; }
  bool is_out(int j) const { return support_.state(j) == Support::out; }

  // The quadratic at hand with more columns at its end, and the gradient at the last solution stands.
  bool only_grown(const Quadratic& q) const {
    const size_t known = linear_.size();
    return known > 0 && gradient_.size() == known && static_cast<size_t>(q.size) >= known && q.scale == quadratic().scale &&
           q.rank == quadratic().rank && coefficients() == settled_ && std::equal(linear_.begin(), linear_.end(), q.linear);
  }

  // gradient_ is that of b, everywhere.
  void settle() {
    linear_.assign(quadratic().linear, quadratic().linear + quadratic().size);
    settled_ = coefficients();
  }

  void point_to(const Quadratic& q) {
    support_.point_to(q);
    support_.resize_working_set(q.size);
    gradient_.resize(q.size);
  }

  // What the right-hand sides hold has changed, and the ridge may have: with a factor of its own.
  void use_ridge(double ridge) {
    if (!support_.factor_at(ridge, ridge)) support_.update_sides(0);
  }

  double largest_ratio(const double* gradient) const {
    double most = 0;
    for (int j = 0; j < quadratic().size; j++) most = std::max(most, std::fabs(gradient[j]) / quadratic().l1[j]);
    return most;
  }

  // Without a penalty signs are free and nothing leaves: columns whose gradient exceeds `least` enter until none is left
  // or the rest depend on the support. Each step enters or refuses a column, so the method ends.
  int solve_unpenalized(double strength, double least) {
    linear_.clear();  // until the end
    for (int steps = 1;; steps++) {
      check_interrupt();
      support_.solve_linear(support_.coefficients().data());
      gradient_.update(support_);
      find_violators_everywhere(least, 0.0);
      if (violators_.empty()) {
        support_.take_signs_of_coefficients();
        support_.release();
        before_.clear();
        last_strength_ = strength;
        settle();
        return steps;
      }
      keep_worst(std::max(10, support_size() / 16));
      if (support_size() + static_cast<int>(violators_.size()) <= max_support() && support_.append_block(violators_, gradient_.data())) continue;
      for (int j : violators_)
        if (!support_.append_one(j, gradient_[j] > 0 ? 1.0 : -1.0, 0.0)) support_.refuse(j);
    }
  }

  // --- one step ---------------------------------------------------------------------------------------------------
  // Moves to the minimizer on the support and tells its objective; false if coordinates changed sign and left instead.
  bool step_to_minimizer(double strength, double tol, bool single, double& objective) {
    const int m = support_size();
    target_.resize(m);
    support_.solve_stationary(strength, tol, gradient_.data(), target_.data());
    if (support_size() < m) return false;  // a factor made anew has found columns that depend on others
    right_.resize(m);
    for (int i = 0; i < m; i++) right_[i] = quadratic().linear[support()[i]] - strength * quadratic().l1[support()[i]] * support_.signs()[i];
    leaving_.clear();
    for (int i = 0; i < m; i++)
      if (target_[i] * support_.signs()[i] <= 0) leaving_.push_back(i);
    if (!leaving_.empty()) {
      if (single)
        step_to_first_crossing(strength);
      else if (support_.lags())
        step_without_leaving(strength);
      support_.drop(leaving_);
      return false;
    }
    if (support_.lags()) carry_gradient(strength, 1.0);
    for (int i = 0; i < m; i++) {
      support_.coefficients()[i] = target_[i];
      objective -= 0.5 * right_[i] * target_[i];
    }
    return true;
  }

  // Where the factor lags, solutions start from the coefficients, and need the gradient on the support: that of the
  // target is known from its solution. Take `share` of the way there.
  void carry_gradient(double strength, double share) {
    for (int i = 0; i < support_size(); i++) {
      const int j = support()[i];
      const double there = strength * quadratic().l1[j] * support_.signs()[i] + support_.left()[i];
      gradient_[j] += share * (there - gradient_[j]);
    }
  }

  // To the target, without what is leaving.
  void step_without_leaving(double strength) {
    carry_gradient(strength, 1.0);
    gone_.clear();
    for (int i : leaving_) gone_.push_back(support()[i]);
    left_out_.clear();
    for (int i : leaving_) left_out_.push_back(target_[i]);
    for (int i = 0; i < support_size(); i++) support_.coefficients()[i] = target_[i];
    gradient_.leave_out(support_, gone_, left_out_);
  }

  void step_to_first_crossing(double strength) {
    double fraction = 2;
    int first = leaving_[0];
    for (int i : leaving_) {
      const double change = target_[i] - coefficients()[i];
      const double at = change != 0 ? -coefficients()[i] / change : 0;
      if (at < fraction) {
        fraction = at;
        first = i;
      }
    }
    fraction = std::min(1.0, std::max(0.0, fraction));
    for (int i = 0; i < support_size(); i++) {
      double& b = support_.coefficients()[i];
      b += fraction * (target_[i] - b);
      if (b * support_.signs()[i] < 0) b = 0;
    }
    if (support_.lags()) carry_gradient(strength, fraction);
    leaving_.assign(1, first);
  }

  // --- who may enter ------------------------------------------------------------------------------------------------
  // Who may enter until `strength`: gradients go on as they went between the last two strengths, or, where that is not
  // known, may move as fast as those on the support. A guess: all are looked at when nobody of these violates.
  // Those expected to violate are `violators_`.
  void pick_candidates(double strength, double tol) {
    const double step = std::max(0.0, last_strength_ - strength);
    const double share = before_.empty() ? 0.0 : step / (before_strength_ - last_strength_);
    const int known = static_cast<int>(before_.size());
    candidates_.clear();
    violators_.clear();
    for (int j = 0; j < quadratic().size; j++) {
      const double expected = pull(j, j < known ? gradient_[j] + share * (gradient_[j] - before_[j]) : gradient_[j]);
      const double limit = strength * quadratic().l1[j], room = (j < known ? allowance : 1.0) * step * quadratic().l1[j];
      if (!is_out(j) || expected >= limit - room) candidates_.push_back(j);
      if (is_out(j) && expected > limit * (1 + tol) && (!sides_ || open(j, gradient_[j]))) violators_.push_back(j);
    }
    before_ = gradient_.values();
    before_strength_ = last_strength_;
  }

  bool open(int j, double sign) const { return !sides_ || (sides_[j] & (sign > 0 ? up : down)) != 0; }
  double pull(int j, double gradient) const { return open(j, gradient) ? std::fabs(gradient) : 0.0; }
  bool violates(int j, double strength, double tol) const { return is_out(j) && pull(j, gradient_[j]) > strength * quadratic().l1[j] * (1 + tol); }
  void find_violators(const std::vector<int>& among, double strength, double tol) {
    violators_.clear();
    for (int j : among)
      if (violates(j, strength, tol)) violators_.push_back(j);
  }
  void find_violators_everywhere(double strength, double tol) {
    violators_.clear();
    for (int j = 0; j < quadratic().size; j++)
      if (violates(j, strength, tol)) violators_.push_back(j);
  }
  void keep_worst(size_t most) {
    if (violators_.size() > most) {
      const auto worse = [this](int a, int b) { return std::fabs(gradient_[a]) * quadratic().l1[b] > std::fabs(gradient_[b]) * quadratic().l1[a]; };
      std::nth_element(violators_.begin(), violators_.begin() + most, violators_.end(), worse);
      violators_.resize(most);
    }
    std::sort(violators_.begin(), violators_.end());
  }

  // --- gradients ----------------------------------------------------------------------------------------------------
  void update_candidate_gradient() {
    outside_.clear();
    std::copy_if(candidates_.begin(), candidates_.end(), std::back_inserter(outside_), [this](int j) { return is_out(j); });
    gradient_.update_outside(support_, outside_);
  }

  // The gradient of new columns, those from `known` on.
  void extend_gradient(int known) {
    outside_.clear();
    for (int j = known; j < quadratic().size; j++) outside_.push_back(j);
    gradient_.update_outside(support_, outside_);
  }

  // A guess as well: who should not have entered leaves at the next step.
  void append_expected() {
    keep_worst(std::max(10, support_size() / 16));
    const int k = static_cast<int>(violators_.size());
    if (k > 0 && support_size() + k <= max_support()) support_.append_block(violators_, gradient_.data());
  }

  void append_violators() {
    const int k = static_cast<int>(violators_.size());
    if (k >= 4 && support_size() + k <= max_support() && support_.append_block(violators_, gradient_.data())) return;
    bool added = false;
    for (int j : violators_) {
      const double sign = gradient_[j] > 0 ? 1.0 : -1.0;
      if (support_.append_one(j, sign, 0.0)) {
        added = true;
        continue;
      }
      // copies of a column could take each other's place for ever, by rounding alone
      if (!added && (++exchanges_ > quadratic().size || !support_.exchange(j, sign))) support_.refuse(j);
      break;  // a refused candidate is looked at again after the next step
    }
  }

  Support support_;
  const char* sides_ = nullptr;  // by coordinate; null where both are open to all
  int exchanges_ = 0, repairs_ = 0;  // the first at this strength
  std::vector<int> candidates_, violators_, outside_, leaving_, gone_;
  WorkingGradient gradient_;
  std::vector<double> right_, target_, left_out_;
  std::vector<double> before_;  // the gradient at the strength before the last, of columns that were there; may be empty
  // the linear part and the coefficients that gradient_ belongs to; the first is empty while it is not up to date everywhere
  std::vector<double> linear_, settled_;
  double last_strength_ = 0, before_strength_ = 0;
};

}  // namespace shrinkage
