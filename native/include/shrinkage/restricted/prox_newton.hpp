#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/restricted/dual_point.hpp"
#include "shrinkage/restricted/newton_step.hpp"

namespace shrinkage {

// Prox-Newton for  min_{b, c}  sum_i v_i l(y_i, eta_i) + strength sum_j l1_j |b_j| + ridge/2 sum_j l2_j b_j^2,
// eta = offset + X_W b + Z c, on a working set W with free columns Z.
//
// Each step minimizes a quadratic model exactly by the active set, on the few candidates K of W whose gradient may reach the
// strength. Its Hessian stays as it is while the residual of the optimality conditions keeps contracting (a chord method),
// so that a Gram matrix and a factor serve several strengths; once a step leaves the support as it is, the next ones are
// conjugate gradients preconditioned by it. A walk to a new strength sets out along the last one. The line search looks at the derivative only: the
// objective is convex, and near the optimum its values drown in rounding long before its derivative does.
template <class Loss>
class ProxNewton : private NewtonStep {
 public:
  static constexpr double most_slack = 5.0;  // times tol: what a violation may be where the gap allows it
  using NewtonStep::scatter;

  ProxNewton(const Loss& loss, const FreeBlock& free) : NewtonStep(loss.rows, free), loss_(loss), dual_(free) {
    for (std::vector<double>* rows : {&residual_, &eta_trial_, &residual_trial_, &curvature_trial_}) rows->resize(loss.rows);
    reset();
  }

  double null_objective() const { return null_objective_; }
  int models_by_descent() const { return descent_.models(); }
  const std::vector<double>& eta() const { return eta_; }
  const std::vector<double>& free_coefs() const { return free_coefs_; }

  // Back to the minimizer over the free block alone; the working set stays.
  void reset() {
    for (int j : candidates_) place_[j] = -1;
    clear_candidates();
    x_ = Columns();
    gradient_.clear();
    previous_gradient_.clear();
    std::fill(free_coefs_.begin(), free_coefs_.end(), 0.0);
    for (Index i = 0; i < loss_.rows; i++) eta_[i] = loss_.offset ? loss_.offset[i] : 0.0;
    evaluate();
    gradient_is_current_ = true;
    for (int a = 0; a < free_.count(); a++) free_root_[a] = free_.root(a, loss_.weights);
    null_objective_ = 1;
    last_strength_ = previous_strength_ = trail_.strength = 0;
    minimize(Level{0, 0, 1e-15});
    null_objective_ = loss_.value(eta_.data());
    double slopes = 0;
    for (Index i = 0; i < loss_.rows; i++) slopes += loss_.weights[i] > 0 ? residual_[i] * residual_[i] / loss_.weights[i] : 0.0;
    faint_ = 1e-3 * std::sqrt(slopes);
    if (loss_.least_objective() == 0) rounding_ = 1e-16 * std::sqrt(slopes);  // slopes have the unit of y
    model_.clear();
    gradient_is_current_ = true;  // of no columns
  }

  // Point to the working set, grown at its end or as it was; l1 and l2 have one entry per column of x.
  void attach(const Columns& x, const double* l1, const double* l2) {
    const int known = static_cast<int>(gradient_.size()), measured = static_cast<int>(all_.size());
    x_ = x;
    l1_ = l1;
    l2_ = l2;
    place_.resize(x.count, -1);
    gradient_.resize(x.count, 0.0);
    previous_gradient_.resize(x.count, std::numeric_limits<double>::quiet_NaN());
    root_.resize(x.count);
    for (int j = measured; j < x.count; j++) {
      all_.push_back(j);
      root_[j] = std::sqrt(x.weighted_square(j, loss_.weights));
      if (root_[j] > 0 && l1[j] > 0) unit_ = std::min(unit_, l1[j] / root_[j]);
    }
    x.dots(all_.data() + known, x.count - known, residual_.data(), gradient_.data() + known);
    if (last_strength_ <= 0)
      for (int j = 0; j < x.count; j++)
        if (l1[j] > 0) last_strength_ = std::max(last_strength_, std::fabs(gradient_[j]) / l1[j]);
  }

  // Hold coefficients within bounds, one of each per column of the working set, lower <= 0 <= upper; before `attach`. A
  // column with bounds may have an l1 of 0, and the strength may be 0.
  void bound(const double* lower, const double* upper) {
    lower_ = lower;
    upper_ = upper;
  }

  // Minimize, warm-started; tol is relative to strength. A jump far down is walked in hidden steps, or it would diverge.
  int solve(double strength, double ridge, double tol) {
    int steps = 0;
    while (strength > 0 && strength < 0.6 * last_strength_) {
      const double hidden = std::max(strength, 0.7 * last_strength_);
      steps += walk(Level{hidden, ridge * hidden / strength, 1e-2});
    }
    return steps + walk(Level{strength, ridge, tol});
  }

  // Stand at given coefficients (the first `count` of the working set), free coefficients and linear predictors.
  void stand_at(const double* coefs, int count, const double* free_coefs, const double* eta, double strength) {
    std::fill(coefs_.begin(), coefs_.end(), 0.0);
    std::vector<int> missing;
    for (int j = 0; j < count; j++)
      if (coefs[j] != 0 && place_[j] < 0) missing.push_back(j);
    admit(missing);
    for (int j = 0; j < count; j++)
      if (coefs[j] != 0) coefs_[place_[j]] = coefs[j];
    std::copy_n(free_coefs, free_.count(), free_coefs_.begin());
    std::copy_n(eta, loss_.rows, eta_.begin());
    evaluate();
    update_gradient();
    forget_slopes();
    trail_.strength = 0;
    last_strength_ = strength;
    model_.moved_elsewhere();
  }

  double objective(double strength, double ridge) const {
    double penalty = 0;
    for (size_t a = 0; a < coefs_.size(); a++) penalty += strength * l1k_[a] * std::fabs(coefs_[a]) + 0.5 * ridge * l2k_[a] * coefs_[a] * coefs_[a];
    return loss_.value(eta_.data()) + penalty;
  }

  // theta = v times a point of the dual domain near the residuals, orthogonal to the free block. Returns its dual objective
  // where the loss couples rows, else nothing of use.
  double dual_point(double* theta, bool intercept_only) {
    if constexpr (Couples<Loss>::value) return dual_.point(loss_, eta_.data(), residual_.data(), theta, intercept_only);
    dual_.point(loss_, eta_.data(), residual_.data(), theta, intercept_only);
    return 0;
  }

 private:
  static constexpr int max_steps = 300;
  static constexpr int max_backtracks = 20;
  static constexpr double tiny = std::numeric_limits<double>::min();
  static constexpr double contraction = 0.25;  // of the residual per step; a slower step asks for a new Hessian

  // --- one strength ---------------------------------------------------------------------------------------------------
  int walk(const Level& at) {
    choose_candidates(at.strength);
    by_descent_ = !Couples<Loss>::value && !boxed() && !loss_.kinked() && at.strength > 0 && ModelDescent::pays(x_, candidates_);
    if (by_descent_) model_.clear();
    smooth_ = !boxed() && set_out(at);
    if (smooth_) search(at);
    if (at.strength != last_strength_) {
      previous_gradient_ = gradient_;
      previous_strength_ = last_strength_;
    }
    if (at.tol < 1e-9) model_.forget_product();
    const int steps = minimize(at);
    last_strength_ = at.strength;
    return steps;
  }

  int minimize(const Level& at) {
    int steps = 0, stalls = 0;
    double before = std::numeric_limits<double>::infinity();
    bool fresh = false;
    support_stands_ = false;
    for (; steps < max_steps; steps++) {
      check_interrupt();
      const double residual = candidate_residual(at), enough = enough_for_gap(at);
      const bool stalled = fresh && predicted_fall_ < noise() && residual > 0.5 * before && ++stalls >= 2;
      if (residual <= enough || stalled) {  // stalled: rounding keeps these candidates from that; others may be far from it
        update_gradient();
        if (!admit_violators(at)) return steps;
        before = std::numeric_limits<double>::infinity();
        stalls = 0;
        continue;
      }
      if (by_descent_) {
        if (steps == 0) thin_candidates(at);
        predict_by_descent(at, residual, enough);
        fresh = true;
        smooth_ = false;
        before = search(at) ? residual : 0;
        if (before == 0) break;
        continue;
      }
      const bool refresh = !model_.exists() || candidates_.empty() || (residual > contraction * before && !fresh) || loss_.kinked();
      if (refresh) renew_model(at);
      fresh = refresh;
      smooth_ =
          !boxed() && support_stands_ && !fresh && !outside_violates_ && refine(at, [this](const std::vector<double>& step) { return bend(step); });
      if (!smooth_) predict(at, rank());
      before = search(at) ? residual : 0;
      if (before == 0 && fresh) break;
    }
    update_gradient();
    return steps;
  }

  // The violation that leaves a gap of at.tol null objectives: scaling residuals back by a violation v, and what
  // complementarity lacks, cost at most 2 v strength |b|_1 to first order. Between at.tol and `most_slack` times that.
  double enough_for_gap(const Level& at) const {
    const bool smooth_rows = !Couples<Loss>::value && !boxed() && !loss_.kinked();
    if (!smooth_rows || at.ridge > 0 || !(at.strength > 0) || at.tol > 1e-3) return at.tol;  // hidden steps: as they are
    double size = 0;
    for (size_t a = 0; a < coefs_.size(); a++) size += at.strength * l1k_[a] * std::fabs(coefs_[a]);
    return at.tol * std::min(most_slack, std::max(1.0, 0.4 * null_objective_ / (size + tiny)));
  }

  double noise() const { return 1e-13 * std::max(null_objective_, loss_.least_objective()); }

  // Largest violation of the optimality conditions on the candidates and the free block, in units of the strength.
  double candidate_residual(const Level& at) {
    const int k = static_cast<int>(candidates_.size());
    gradient_k_.resize(k);
    if (gradient_is_current_)
      for (int a = 0; a < k; a++) gradient_k_[a] = gradient_[candidates_[a]];
    else
      x_.dots(candidates_.data(), k, residual_.data(), gradient_k_.data());
    free_.dots(residual_.data(), free_gradient_.data());
    double worst = 0;
    outside_violates_ = false;
    for (int a = 0; a < k; a++) {
      const double bound = at.strength * l1k_[a], g = gradient_k_[a] - at.ridge * l2k_[a] * coefs_[a];
      if (boxed()) {
        const double root = root_[candidates_[a]];
        worst = std::max(worst, (boxed_violation(a, g, bound) - rounding_ * root) / std::max(bound, faint_ * root + tiny));
        continue;
      }
      const double off = coefs_[a] != 0 ? std::fabs(g - (coefs_[a] > 0 ? bound : -bound)) : std::fabs(g) - bound;
      outside_violates_ = outside_violates_ || (coefs_[a] == 0 && off > at.tol * bound);
      worst = std::max(worst, (off - rounding_ * root_[candidates_[a]]) / bound);
    }
    double scale = at.strength > 0 ? at.strength * unit_ : 1.0;
    if (boxed() && !(at.strength > 0 && std::isfinite(scale))) scale = faint_ + tiny;
    for (int a = 0; a < free_.count(); a++)
      if (free_root_[a] > 0) worst = std::max(worst, (std::fabs(free_gradient_[a]) / free_root_[a] - rounding_) / scale);
    return worst;
  }

  void update_gradient() {
    if (!gradient_is_current_) x_.dots(all_.data(), x_.count, residual_.data(), gradient_.data());
    gradient_is_current_ = true;
  }

  // --- the quadratic model ------------------------------------------------------------------------------------------------
  // The Hessian at the present weights, on the support and the candidates that are near it.
  void renew_model(const Level& at) {
    model_.clear();
    thin_candidates(at);
    if constexpr (Couples<Loss>::value) {
      loss_.means(eta_.data(), means_);
      model_.renew(x_, candidates_, curvature_, &means_);
    } else {
      model_.renew(x_, candidates_, curvature_);
    }
  }

  // Only the support and what is near it.
  void thin_candidates(const Level& at) {
    const std::vector<int> old(candidates_);
    const std::vector<double> old_coefs(coefs_), old_gradient(gradient_k_);
    clear_candidates();
    gradient_k_.clear();
    for (size_t a = 0; a < old.size(); a++) {
      place_[old[a]] = -1;
      if (old_coefs[a] == 0 && allowed(old[a], old_gradient[a]) < near * at.strength * l1_[old[a]]) continue;
      admit({old[a]});
      coefs_.back() = old_coefs[a];
      gradient_k_.push_back(old_gradient[a]);
    }
  }

  // step'H step for the linear predictors
  double bend(const std::vector<double>& step) {
    if constexpr (Couples<Loss>::value) {
      return loss_.bend(eta_.data(), step.data(), curvature_.data());
    } else {
      return free_.curvature(curvature_.data()).form(step.data());
    }
  }

  int rank() {
    if (positive_rows_ == 0) {
      for (Index i = 0; i < loss_.rows; i++) positive_rows_ += loss_.weights[i] > 0;
      if constexpr (Couples<Loss>::value) positive_rows_ = std::max<Index>(1, positive_rows_ - loss_.sets->strata);
    }
    const Index seen = positive_rows_ / x_.classes, used = x_.classes > 1 ? seen * (x_.classes - 1) : seen;  // of K classes K - 1 say all
    return static_cast<int>(std::max<Index>(1, used - model_.free_rank()));
  }

  // --- the line search ------------------------------------------------------------------------------------------------------
  // Shorten the step until the objective is no longer rising steeply at its end; false if no length was found. A loss with
  // kinks is followed further, to where it hardly rises or falls any more: there a model's step says little of its far end.
  bool search(const Level& at) {
    if (!std::isfinite(predicted_fall_)) return false;
    const double fall = std::fabs(predicted_fall_), most = loss_.kinked() ? 0.1 : 0.9;
    double t = 1, low = 0, high = 0, low_rise = -fall, high_rise = 0;
    for (int trial = 0; trial <= max_backtracks; trial++) {
      const double rise = penalty_slope(at, t) - loss_.sweep(eta_.data(), step_.data(), t, Loss::least_curvature, eta_trial_.data(),
                                                             residual_trial_.data(), curvature_trial_.data());
      const bool level = rise <= most * fall && (high == 0 || rise >= -most * fall);
      if (level || fall < noise() || (trial == max_backtracks && rise <= 0)) {
        accept(t);
        return true;
      }
      if (rise < 0) {
        low = t, low_rise = rise;
      } else {
        high = t, high_rise = rise;
      }
      const double share = std::isfinite(high_rise) ? low_rise / (low_rise - high_rise) : 0.1;
      t = trial + 1 == max_backtracks && low > 0 ? low : low + (high - low) * std::min(0.5, std::max(0.1, share));
    }
    return false;
  }

  void accept(double t) {
    if (smooth_)
      model_.moved_on_support();
    else
      model_.stepped(t == 1, static_cast<int>(coefs_.size()));
    support_stands_ = support_stands_ && t == 1;
    if (!smooth_ && support_stands_) begin_conjugate();
    eta_.swap(eta_trial_);
    residual_.swap(residual_trial_);
    gradient_is_current_ = false;
    curvature_.swap(curvature_trial_);
    for (size_t a = 0; a < coefs_.size(); a++) coefs_[a] = t == 1 ? target_[a] : coefs_[a] + t * (target_[a] - coefs_[a]);
    for (int b = 0; b < free_.count(); b++) free_coefs_[b] += t * free_change_[b];
  }

  // residual and curvature at eta
  void evaluate() {
    std::fill(step_.begin(), step_.end(), 0.0);
    gradient_is_current_ = false;
    eta_trial_ = eta_;
    loss_.sweep(eta_trial_.data(), step_.data(), 0.0, Loss::least_curvature, eta_.data(), residual_.data(), curvature_.data());
  }

  Loss loss_;
  DualPoint<Loss> dual_;
  std::vector<double> residual_, eta_trial_, residual_trial_, curvature_trial_;  // by row
  RunningMeans means_;
  double null_objective_ = 1;
  double faint_ = 0;  // the unit of a gradient per length of a column, where no penalty gives one
  Index positive_rows_ = 0;
  bool gradient_is_current_ = true;
  bool by_descent_ = false;  // models of this walk are minimized by coordinate descent
};

}  // namespace shrinkage
