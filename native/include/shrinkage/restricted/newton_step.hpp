#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/restricted/chord_model.hpp"
#include "shrinkage/restricted/conjugate_steps.hpp"
#include "shrinkage/restricted/model_descent.hpp"

namespace shrinkage {

// What ProxNewton does without a word of its loss: the candidates, their coefficients and gradients, and the next step,
// by the quadratic model, along a conjugate direction, or along the last walk.
class NewtonStep {
 public:
  // out (size of the working set) = coefficients; returns how many are not zero
  int scatter(double* out) const {
    int support = 0;
    std::fill_n(out, x_.count, 0.0);
    for (size_t a = 0; a < coefs_.size(); a++) {
      out[candidates_[a]] = coefs_[a];
      support += coefs_[a] != 0;
    }
    return support;
  }

 protected:
  NewtonStep(Index rows, const FreeBlock& free)
      : free_(free),
        model_(free),
        eta_(rows),
        curvature_(rows),
        step_(rows),
        free_coefs_(free.count()),
        free_gradient_(free.count()),
        free_root_(free.count()),
        free_change_(free.count()) {}

  struct Level {
    double strength, ridge, tol;
  };
  static constexpr double near = 0.9;        // of the strength: gradients above it stay candidates

  // --- bounds -----------------------------------------------------------------------------------------------------------
  bool boxed() const { return lower_ != nullptr; }

  // How strongly a gradient pulls column j from 0 to a side that its bounds leave open.
  double allowed(int j, double gradient) const {
    if (!boxed()) return std::fabs(gradient);
    return gradient > 0 ? (upper_[j] > 0 ? gradient : 0.0) : (lower_[j] < 0 ? -gradient : 0.0);
  }

  // How far the gradient g of candidate a is from where no side that its bounds leave open is a way down.
  double boxed_violation(size_t a, double g, double width) const {
    const double b = coefs_[a];
    const double up = b < upper_k_[a] ? g - (b >= 0 ? width : -width) : 0.0, down = b > lower_k_[a] ? -g + (b > 0 ? width : -width) : 0.0;
    return std::max(up, down);
  }

  // --- who is a candidate -----------------------------------------------------------------------------------------------
  // Those whose gradient, continued along its slope, comes near the new strength; without a slope, all that could.
  void choose_candidates(double strength) {
    const double fall = std::max(0.0, last_strength_ - strength);
    const bool slopes = previous_strength_ > last_strength_ && fall > 0;
    std::vector<int> chosen;
    for (int j = 0; j < x_.count; j++) {
      if (place_[j] >= 0) continue;
      double predicted = allowed(j, gradient_[j]) + fall * l1_[j];
      if (slopes && previous_gradient_[j] == previous_gradient_[j]) {
        const double slope = (previous_gradient_[j] - gradient_[j]) / (previous_strength_ - last_strength_);
        predicted = allowed(j, gradient_[j] - slope * fall) + 0.1 * fall * l1_[j];
      }
      if (predicted >= strength * l1_[j]) chosen.push_back(j);
    }
    admit(chosen);
  }

  bool admit_violators(const Level& at) {
    std::vector<int> violators;
    for (int j = 0; j < x_.count; j++)
      if (place_[j] < 0 && allowed(j, gradient_[j]) > at.strength * l1_[j] * (1 + at.tol) + rounding_ * root_[j]) violators.push_back(j);
    admit(violators);
    return !violators.empty();
  }

  void admit(const std::vector<int>& columns) {
    if (columns.empty()) return;
    const int known = static_cast<int>(candidates_.size());
    for (int j : columns) {
      place_[j] = static_cast<int>(candidates_.size());
      candidates_.push_back(j);
      coefs_.push_back(0.0);
      l1k_.push_back(l1_[j]);
      l2k_.push_back(l2_ ? l2_[j] : 0.0);
      if (!boxed()) continue;
      lower_k_.push_back(lower_[j]);
      upper_k_.push_back(upper_[j]);
    }
    model_.append(x_, candidates_, known);
  }

  void clear_candidates() {
    candidates_.clear();
    coefs_.clear();
    l1k_.clear();
    l2k_.clear();
    lower_k_.clear();
    upper_k_.clear();
  }

  void forget_slopes() { std::fill(previous_gradient_.begin(), previous_gradient_.end(), std::numeric_limits<double>::quiet_NaN()); }

  // --- the next step --------------------------------------------------------------------------------------------------
  // The minimizer of the model: target_ on the candidates, free_change_, and the step of the linear predictors.
  void predict(const Level& at, int rank) {
    const double exactness = std::min(1e-10, std::max(1e-14, 0.1 * at.tol));
    const double *lower = boxed() ? lower_k_.data() : nullptr, *upper = boxed() ? upper_k_.data() : nullptr;
    model_.minimize({coefs_, gradient_k_, free_gradient_, curvature_, l1k_, l2k_, lower, upper}, at.strength, at.ridge, exactness, rank, target_,
                    free_change_);
    measure_step(at);
  }

  // The same by coordinate descent, at the present curvature and as far as a step of this violation asks that is to end
  // at one of `enough`.
  void predict_by_descent(const Level& at, double violation, double enough) {
    free_.factor(curvature_.data());
    const double tol = std::max(0.6 * enough, violation * std::min(0.05, 0.3 * violation));
    descent_.minimize(x_, free_, candidates_, curvature_.data(), {coefs_, gradient_k_, free_gradient_, l1k_, l2k_}, at.strength, at.ridge, tol, target_,
                      free_change_);
    measure_step(at);
  }

  // How far the objective falls along the step at first, and the step of the linear predictors.
  void measure_step(const Level& at) {
    predicted_fall_ = 0;
    support_stands_ = true;
    for (size_t a = 0; a < coefs_.size(); a++) {
      const double d = target_[a] - coefs_[a];
      if (d == 0) continue;
      support_stands_ = support_stands_ && target_[a] * coefs_[a] > 0;
      predicted_fall_ += (gradient_k_[a] - at.ridge * l2k_[a] * coefs_[a]) * d;
      predicted_fall_ -= at.strength * l1k_[a] * (std::fabs(target_[a]) - std::fabs(coefs_[a]));
    }
    for (int b = 0; b < free_.count(); b++) predicted_fall_ += free_gradient_[b] * free_change_[b];
    spread_step();
  }

  // step_ = the change of the linear predictors from coefs_ to target_
  void spread_step() {
    moved_.clear();
    change_.clear();
    for (size_t a = 0; a < coefs_.size(); a++) {
      if (target_[a] == coefs_[a]) continue;
      moved_.push_back(candidates_[a]);
      change_.push_back(coefs_[a] - target_[a]);
    }
    std::fill(step_.begin(), step_.end(), 0.0);
    free_.add(free_change_.data(), step_.data());
    x_.subtract(moved_.data(), static_cast<Index>(moved_.size()), change_.data(), step_.data());
  }

  // --- where signs stand --------------------------------------------------------------------------------------------------
  double residual_on_support(const Level& at, size_t a, double gradient) const {
    return gradient - std::copysign(at.strength, coefs_[a]) * l1k_[a] - at.ridge * l2k_[a] * coefs_[a];
  }

  // A step along a conjugate direction, as long as the curvature there, `bend_of(step_)`, asks; false if a sign would change.
  template <class Bend>
  bool refine(const Level& at, Bend bend_of) {
    const size_t k = coefs_.size(), q = free_.count();
    residual_k_.assign(k + q, 0.0);
    for (size_t a = 0; a < k; a++)
      if (coefs_[a] != 0) residual_k_[a] = residual_on_support(at, a, gradient_k_[a]);
    std::copy(free_gradient_.begin(), free_gradient_.end(), residual_k_.begin() + k);
    model_.solve_on_support({coefs_, gradient_k_, free_gradient_, curvature_, l1k_, l2k_, nullptr, nullptr}, at.ridge, residual_k_, direction_);
    const double slope = conjugate_.turn(residual_k_, direction_);
    double bend = 0;
    for (size_t a = 0; a < k; a++) {
      target_[a] = coefs_[a] + direction_[a];
      bend += at.ridge * l2k_[a] * direction_[a] * direction_[a];
    }
    std::copy_n(direction_.begin() + k, q, free_change_.begin());
    spread_step();
    bend += bend_of(step_);
    const double length = slope / bend;
    if (!(slope > 0) || !(bend > 0) || !std::isfinite(length)) return false;
    for (size_t a = 0; a < k; a++) {
      target_[a] = coefs_[a] + length * direction_[a];
      if (coefs_[a] != 0 && target_[a] * coefs_[a] <= 0) return false;
    }
    for (double& change : free_change_) change *= length;
    for (double& step : step_) step *= length;
    predicted_fall_ = length * slope;
    return true;
  }

  // A step that goes on as the last walk went, as far in the logarithm of the strength; coefficients that would change sign
  // stay. False without a last walk.
  bool set_out(const Level& at) {
    std::swap(trail_, before_);  // before_: where the last walk began; trail_: where this one does
    trail_.strength = at.strength < last_strength_ ? last_strength_ : 0.0;
    if (trail_.strength == 0) return false;
    trail_.coefs.assign(x_.count, 0.0);
    for (size_t a = 0; a < coefs_.size(); a++) trail_.coefs[candidates_[a]] = coefs_[a];
    trail_.free_coefs = free_coefs_;
    trail_.eta = eta_;
    if (before_.strength <= last_strength_) return false;
    const double share = std::min(2.0, std::log(last_strength_ / at.strength) / std::log(before_.strength / last_strength_));
    before_.coefs.resize(x_.count, 0.0);
    predicted_fall_ = 0;
    moved_.clear();
    change_.clear();
    target_ = coefs_;
    for (int j = 0; j < x_.count; j++) {
      const double d = share * (trail_.coefs[j] - before_.coefs[j]);
      if (d == 0) continue;
      if (before_.coefs[j] != 0 && trail_.coefs[j] * (trail_.coefs[j] + d) > 0) {
        target_[place_[j]] += d;
        predicted_fall_ += residual_on_support(at, place_[j], gradient_[j]) * d;
        continue;
      }
      moved_.push_back(j);
      change_.push_back(d);
    }
    for (size_t i = 0; i < step_.size(); i++) step_[i] = share * (eta_[i] - before_.eta[i]);
    x_.subtract(moved_.data(), static_cast<Index>(moved_.size()), change_.data(), step_.data());
    free_change_.resize(free_.count());
    for (int b = 0; b < free_.count(); b++) free_change_[b] = share * (free_coefs_[b] - before_.free_coefs[b]);
    return predicted_fall_ > 0;
  }

  double penalty_slope(const Level& at, double t) const {
    double slope = 0;
    for (size_t a = 0; a < coefs_.size(); a++) {
      const double d = target_[a] - coefs_[a];
      if (d == 0) continue;
      const double value = t == 1 ? target_[a] : coefs_[a] + t * d;
      const double side = value != 0 ? value : coefs_[a];
      slope += at.strength * l1k_[a] * (side > 0 ? d : -d) + at.ridge * l2k_[a] * value * d;
    }
    return slope;
  }

  void begin_conjugate() {
    direction_ = target_;
    for (size_t a = 0; a < coefs_.size(); a++) direction_[a] -= coefs_[a];
    direction_.insert(direction_.end(), free_change_.begin(), free_change_.end());
    conjugate_.begin(direction_, predicted_fall_);
  }

  FreeBlock free_;
  Columns x_;
  const double *l1_ = nullptr, *l2_ = nullptr;
  const double *lower_ = nullptr, *upper_ = nullptr;  // null where coefficients have no bounds
  ChordModel model_;
  ModelDescent descent_;

  std::vector<double> eta_, curvature_, step_;                            // by row
  std::vector<int> all_, place_;                                          // by column of the working set
  std::vector<double> gradient_, previous_gradient_, root_;               // root: weighted length of the column
  std::vector<int> candidates_, moved_;                                   // columns of the working set
  std::vector<double> coefs_, l1k_, l2k_, gradient_k_, target_, change_;  // by candidate
  std::vector<double> lower_k_, upper_k_;                                 // by candidate, where there are bounds
  std::vector<double> residual_k_, direction_;                            // by candidate, then free block
  std::vector<double> free_coefs_, free_gradient_, free_root_, free_change_;
  double unit_ = std::numeric_limits<double>::infinity();  // least l1 weight per length of a column
  double last_strength_ = 0, previous_strength_ = 0, predicted_fall_ = 0;
  ConjugateSteps conjugate_;
  Trail trail_, before_;
  double rounding_ = 1e-16;        // of a gradient, relative to the column's length
  bool support_stands_ = false;    // the last step changed no sign, nor who is in the support
  bool outside_violates_ = false;  // a candidate outside the support
  bool smooth_ = false;            // the step at hand changes no sign
};

}  // namespace shrinkage
