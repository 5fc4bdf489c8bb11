#pragma once
#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/losses/multinomial.hpp"
#include "shrinkage/restricted/class_metric.hpp"
#include "shrinkage/restricted/dual_point.hpp"

namespace shrinkage {

// Ridge of several classes, or of a smooth loss of one predictor, at falling strengths,
//   min_B  sum_i v_i l(y_i, offset_i + (F B)_i) + alpha/2 sum_{j >= n_free} |b_j|^2,
// each warm-started along the parabola through the last three answers in log alpha.
//
// Steps are quasi-Newton: a factor of a Hessian met before, corrected by the last steps and what the gradient did along them
// (limited-memory BFGS, Nocedal 1980). Iterations that a fresh factor would have spared are a debt; it is renewed when the
// debt is what it costs. The search looks at the derivative only, as that of ProxNewton does.
template <class Loss>
class RidgeDescent {
 public:
  // `unit`: the objective of the null model, at which all coefficients are 0 and the predictors those of the offset.
  RidgeDescent(const Loss& loss, const RidgeColumns& x, int n_free, const FreeBlock& block, double unit)
      : loss_(loss), x_(x), n_free_(n_free), unit_(std::max(unit, 1e-10)), metric_(x, n_free), dual_(block) {
    const size_t size = static_cast<size_t>(x.count()) * x.classes;
    coefs_.assign(size, 0.0);
    for (std::vector<double>* one : {&gradient_, &direction_, &before_}) one->resize(size);
    for (std::vector<double>* one : {&eta_, &residual_, &curvature_, &step_, &eta_trial_, &residual_trial_, &curvature_trial_}) one->assign(loss.rows, 0.0);
    if (loss.offset) std::copy_n(loss.offset, loss.rows, eta_.begin());
    evaluate();
    const double rows = static_cast<double>(loss.rows);
    work_ = 8 * rows * x.count() + 40 * rows;
  }

  const std::vector<double>& coefs() const { return coefs_; }
  const std::vector<double>& eta() const { return eta_; }
  const std::vector<double>& gradient() const { return gradient_; }
  double gap() const { return gap_; }

  // Begin at these coefficients.
  void stand_at(const double* coefs) {
    std::copy_n(coefs, coefs_.size(), coefs_.begin());
    x_.times(coefs, eta_.data());
    for (Index i = 0; i < loss_.rows; i++) eta_[i] += loss_.offset ? loss_.offset[i] : 0.0;
    pairs_.clear();
    history_.clear();
    evaluate();
  }

  // Minimize to a relative duality gap far below tol; returns the steps.
  int solve(double alpha, double tol, bool intercept_only) {
    int steps = move_to(alpha);
    double target = 1e-3 * tol * unit_;
    for (int round = 0; round < most_rounds; round++) {
      steps += descend(target);
      if (metric_.whole() && metric_.cost() < cheap) steps += polish();
      measure_gap(intercept_only);
      if (gap_ <= 0.1 * tol * unit_ || stuck_) break;
      target *= 0.05;
    }
    history_.push_front({std::log(alpha), coefs_});
    if (history_.size() > 3) history_.pop_back();
    return steps;
  }

 private:
  static constexpr int most_rounds = 4, most_steps = 1000, most_pairs = 12, most_trials = 30;
  static constexpr double cheap = 2e6;  // multiplications of a factor that hardly count
  static constexpr double level_slope = 0.5;  // of the first slope: how steep the objective may be at the end of a step
  struct Pair {
    std::vector<double> s, y;
    double sy;
  };
  struct Answer {
    double place;
    std::vector<double> coefs;
  };

  // Another strength: the gradient's change along a step changes with it, exactly. Then set out along the last answers.
  int move_to(double alpha) {
    const size_t first = static_cast<size_t>(n_free_) * x_.classes;
    for (Pair& pair : pairs_) {
      pair.sy = 0;
      for (size_t a = first; a < pair.s.size(); a++) pair.y[a] += (alpha - alpha_) * pair.s[a];
      for (size_t a = 0; a < pair.s.size(); a++) pair.sy += pair.s[a] * pair.y[a];
    }
    while (!pairs_.empty() && !(pairs_.back().sy > 0)) pairs_.pop_back();
    const bool known = alpha_ > 0;
    alpha_ = alpha;
    if (!known) metric_.begin(curvature_.data(), alpha);
    find_gradient();
    if (history_.size() < 2) return 0;
    const double x = std::log(alpha), x0 = history_[0].place, x1 = history_[1].place;
    if (!(x < x0 && x0 < x1) || x0 - x > 2 * (x1 - x0)) return 0;
    const size_t count = history_.size();
    double weights[3] = {1, 1, 1};
    for (size_t a = 0; a < count; a++)
      for (size_t b = 0; b < count; b++)
        if (a != b) weights[a] *= (x - history_[b].place) / (history_[a].place - history_[b].place);
    for (size_t j = 0; j < coefs_.size(); j++) {
      double ahead = -coefs_[j];
      for (size_t a = 0; a < count; a++) ahead += weights[a] * history_[a].coefs[j];
      direction_[j] = ahead;
    }
    return step_along() ? 1 : 0;
  }

  // Quasi-Newton steps until the gap and what a step promises are at most `target`.
  int descend(double target) {
    int steps = 0, failures = 0;
    stuck_ = false;
    for (; steps < most_steps; steps++) {
      check_interrupt();
      find_direction();
      const double promised = -0.5 * dot(gradient_, direction_);
      if (!(promised > 0) || (promised <= target && slope_gap() <= target)) break;
      if (promised <= 1e-17 * unit_ && ++failures > 2) break;
      if (steps >= 1) debt_ += work_ + 4.0 * static_cast<double>(coefs_.size()) * most_pairs;
      if (debt_ > metric_.cost()) {
        renew();
        find_direction();
      }
      if (step_along()) continue;
      if (++failures > 2) {
        stuck_ = true;
        break;
      }
      renew();
    }
    return steps;
  }

  // A step of Newton's method, which squares an error that is small already.
  int polish() {
    renew();
    find_direction();
    return step_along() ? 1 : 0;
  }

  // residual and curvature at eta
  void evaluate() {
    eta_trial_ = eta_;
    std::fill(step_.begin(), step_.end(), 0.0);
    loss_.sweep(eta_trial_.data(), step_.data(), 0.0, Loss::least_curvature, eta_.data(), residual_.data(), curvature_.data());
  }

  void renew() {
    metric_.factor(curvature_.data(), alpha_);
    if (metric_.whole()) pairs_.clear();
    debt_ = 0;
  }

  // The duality gap that the gradient leaves, were the free block balanced.
  double slope_gap() const {
    double sum = 0;
    for (size_t a = static_cast<size_t>(n_free_) * x_.classes; a < gradient_.size(); a++) sum += gradient_[a] * gradient_[a];
    return sum / (2 * alpha_);
  }

  void find_gradient() {
    x_.adjoint(residual_.data(), gradient_.data());
    const size_t first = static_cast<size_t>(n_free_) * x_.classes;
    for (size_t a = 0; a < gradient_.size(); a++) gradient_[a] = -gradient_[a] + (a < first ? 0.0 : alpha_ * coefs_[a]);
  }

  // direction = -(the inverse metric, corrected by the pairs) gradient
  void find_direction() {
    direction_ = gradient_;
    std::vector<double> share(pairs_.size());
    for (size_t k = 0; k < pairs_.size(); k++) {
      share[k] = dot(pairs_[k].s, direction_) / pairs_[k].sy;
      add(-share[k], pairs_[k].y, direction_);
    }
    metric_.solve(direction_);
    for (size_t k = pairs_.size(); k-- > 0;) add(share[k] - dot(pairs_[k].y, direction_) / pairs_[k].sy, pairs_[k].s, direction_);
    for (double& d : direction_) d = -d;
  }

  // Go along the direction to where the objective is level enough; false where it does not fall or no length was found.
  bool step_along() {
    const double fall = -dot(gradient_, direction_);
    if (!(fall > 0) || !std::isfinite(fall)) return false;
    x_.times(direction_.data(), step_.data());
    double t = 1, low = 0, high = 0, low_rise = -fall, high_rise = 0;
    for (int trial = 0; trial < most_trials; trial++) {
      const double along = loss_.sweep(eta_.data(), step_.data(), t, Loss::least_curvature, eta_trial_.data(), residual_trial_.data(),
                                       curvature_trial_.data());
      const double rise = penalty_slope(t) - along;
      if ((rise <= level_slope * fall && (high == 0 || rise >= -level_slope * fall)) || fall < 1e-15 * unit_) {
        accept(t);
        return true;
      }
      (rise < 0 ? low : high) = t;
      (rise < 0 ? low_rise : high_rise) = rise;
      const double share = std::isfinite(high_rise) ? low_rise / (low_rise - high_rise) : 0.1;
      t = low + (high - low) * std::min(0.9, std::max(0.1, share));
    }
    return false;
  }

  double penalty_slope(double t) const {
    double sum = 0;
    for (size_t a = static_cast<size_t>(n_free_) * x_.classes; a < coefs_.size(); a++) sum += (coefs_[a] + t * direction_[a]) * direction_[a];
    return alpha_ * sum;
  }

  void accept(double t) {
    add(t, direction_, coefs_);
    eta_.swap(eta_trial_);
    residual_.swap(residual_trial_);
    curvature_.swap(curvature_trial_);
    before_.swap(gradient_);
    find_gradient();
    Pair pair;
    if (pairs_.size() == most_pairs) {
      pair = std::move(pairs_.back());
      pairs_.pop_back();
    }
    pair.s = direction_;
    for (double& s : pair.s) s *= t;
    pair.y = gradient_;
    add(-1.0, before_, pair.y);
    pair.sy = dot(pair.s, pair.y);
    if (pair.sy > 1e-14 * std::sqrt(dot(pair.s, pair.s) * dot(pair.y, pair.y))) pairs_.push_front(std::move(pair));
  }

  void measure_gap(bool intercept_only) {
    dual_.point(loss_, eta_.data(), residual_.data(), eta_trial_.data(), intercept_only);
    x_.adjoint(eta_trial_.data(), before_.data());
    double squares = 0, conjugate = 0;
    for (size_t a = static_cast<size_t>(n_free_) * x_.classes; a < coefs_.size(); a++) {
      squares += coefs_[a] * coefs_[a];
      conjugate += before_[a] * before_[a];
    }
    gap_ = loss_.value(eta_.data()) + 0.5 * alpha_ * squares - (loss_.dual(eta_trial_.data(), 1.0) - conjugate / (2 * alpha_));
  }

  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
    return sum;
  }
  static void add(double t, const std::vector<double>& a, std::vector<double>& into) {
    for (size_t i = 0; i < a.size(); i++) into[i] += t * a[i];
  }

  Loss loss_;
  RidgeColumns x_;
  int n_free_;
  double unit_, alpha_ = 0, gap_ = 0, debt_ = 0, work_ = 0;
  bool stuck_ = false;
  ClassMetric metric_;
  DualPoint<Loss> dual_;
  std::vector<double> coefs_, gradient_, direction_, before_;                                              // by column and class
  std::vector<double> eta_, residual_, curvature_, step_, eta_trial_, residual_trial_, curvature_trial_;  // by row and class
  std::deque<Pair> pairs_;                                                                                 // the latest first
  std::deque<Answer> history_;
};

using ClassRidge = RidgeDescent<Multinomial>;

}  // namespace shrinkage
