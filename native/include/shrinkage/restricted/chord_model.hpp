#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "shrinkage/restricted/active_box.hpp"
#include "shrinkage/restricted/active_set.hpp"
#include "shrinkage/restricted/boxed_quadratic.hpp"
#include "shrinkage/restricted/candidate_gram.hpp"
#include "shrinkage/restricted/coupled_rows.hpp"

namespace shrinkage {

// The quadratic model of a smooth loss around a point b, on candidate columns K and a free block Z, with a Hessian H that is
// kept over many points. Row weights fall together as a fit grows surer, so the Hessian now is taken as `scale` times the
// one kept: the linear part, the strength and the ridge are divided by the scale instead.
class ChordModel {
 public:
  explicit ChordModel(const FreeBlock& free) : raw_free_(free), free_(free) {}

  bool exists() const { return exists_; }
  void clear() { exists_ = false; }
  int free_rank() const { return free_.rank(); }

  // A new Hessian, at these row weights; where a loss couples rows, of the rows that `means` makes.
  void renew(const Columns& x, const std::vector<int>& picked, const std::vector<double>& weights, const RunningMeans* means = nullptr) {
    weights_ = weights;
    curvature_ = free_.curvature(weights.data()).trace();
    if (means) free_ = coupled_.begin(*means, raw_free_, static_cast<Index>(weights.size()));
    free_.factor(weights_.data());
    compute(x, picked, 0);
    exists_ = true;
    moved_elsewhere();
  }

  // Candidates from.. are new; they enter the Hessian with the weights it was made with.
  void append(const Columns& x, const std::vector<int>& picked, int from) {
    if (exists_) compute(x, picked, from);
  }

  // b is not where the last minimization left it.
  void moved_elsewhere() {
    restart_ = true;
    product_size_ = 0;
  }

  // Compute H b afresh at the next minimization: rounding must not add up.
  void forget_product() { product_size_ = 0; }

  // b moved by the last minimization's step, in full or in part.
  void stepped(bool in_full, int size) {
    in_step_ = in_full;
    product_size_ = in_full ? size : 0;
  }

  // b moved otherwise, with its support and its signs.
  void moved_on_support() {
    moved_on_support_ = in_step_;
    product_size_ = 0;
  }

  struct Point {
    const std::vector<double>& coefs;          // b, by candidate
    const std::vector<double>& gradient;       // -gradient of the loss, by candidate
    const std::vector<double>& free_gradient;  // and on the free block
    const std::vector<double>& weights;        // of the rows, now
    const std::vector<double>& l1;
    const std::vector<double>& l2;
    const double* lower = nullptr;  // bounds of the candidates, or null where there are none
    const double* upper = nullptr;
  };

  // target = the minimizer on the candidates, free_change = the step of the free coefficients; max_support = rank of H.
  void minimize(const Point& at, double strength, double ridge, double tol, int max_support, std::vector<double>& target,
                std::vector<double>& free_change) {
    const int k = static_cast<int>(at.coefs.size()), q = free_.count();
    const double scale = scale_now(at, ridge);
    free_change = at.free_gradient;
    free_.forward(free_change.data());
    target.assign(k, 0.0);
    if (k > 0) minimize_candidates(at, strength / scale, ridge / scale, scale, tol, max_support, free_change, target);
    for (double& change : free_change) change /= scale;
    for (int a = 0; a < k; a++)
      for (int b = 0; b < q; b++) free_change[b] -= gram_.cross(a)[b] * (target[a] - at.coefs[a]);
    free_.backward(free_change.data());
  }

  // z = H^-1 r on the support, which is that of the last minimization, and on the free block; r and z: candidates, then
  // free block.
  void solve_on_support(const Point& at, double ridge, const std::vector<double>& r, std::vector<double>& z) {
    const int k = static_cast<int>(at.coefs.size()), q = free_.count(), m = active_.support_size();
    const double scale = scale_now(at, ridge);
    z.assign(k + q, 0.0);
    double* free_z = z.data() + k;
    std::copy_n(r.data() + k, q, free_z);
    free_.forward(free_z);
    on_support_.resize(m);
    for (int i = 0; i < m; i++) on_support_[i] = (r[active_.support()[i]] - explained(active_.support()[i], free_z)) / scale;
    active_.solve_on_support(on_support_.data());
    for (int b = 0; b < q; b++) free_z[b] /= scale;
    for (int i = 0; i < m; i++) {
      const int a = active_.support()[i];
      z[a] = on_support_[i];
      for (int b = 0; b < q; b++) free_z[b] -= gram_.cross(a)[b] * z[a];
    }
    free_.backward(free_z);
  }

 private:
  void compute(const Columns& x, const std::vector<int>& picked, int from) {
    if (!coupled_.exist()) {
      gram_.compute(x, free_, picked, from, weights_.data());
      return;
    }
    const Columns made = coupled_.columns(x, picked, from);
    gram_.compute(made, free_, coupled_.all(), from, weights_.data());
  }

  double scale_now(const Point& at, double ridge) const { return ridge > 0 ? 1.0 : free_.curvature(at.weights.data()).trace() / curvature_; }

  // u_a'x: what the free block takes of the gradient of candidate a
  double explained(int a, const double* x) const {
    double sum = 0;
    for (int b = 0; b < free_.count(); b++) sum += gram_.cross(a)[b] * x[b];
    return sum;
  }

  void minimize_candidates(const Point& at, double strength, double ridge, double scale, double tol, int max_support,
                           const std::vector<double>& taken, std::vector<double>& target) {
    const int k = static_cast<int>(at.coefs.size());
    update_product(at.coefs);
    linear_.resize(k);
    slope_.resize(k);
    for (int a = 0; a < k; a++) {
      const double g = at.gradient[a] - explained(a, taken.data());
      linear_[a] = g / scale + product_[a];
      slope_[a] = g / scale - ridge * at.l2[a] * at.coefs[a];
    }
    const Quadratic h = quadratic(at, ridge);
    active_.set_max_support(ridge > 0 ? std::numeric_limits<int>::max() : max_support);
    if (at.lower) return minimize_in_box(at, h, strength, tol, target);
    if (in_step_ && moved_on_support_) active_.move_to(at.coefs.data());
    if (restart_)
      active_.restart(h, at.coefs.data(), strength);
    else if (in_step_)
      active_.attach(h, slope_.data());
    else
      active_.attach(h);
    active_.solve(strength, std::max(tol, noise(at.l1) / strength));
    for (int i = 0; i < active_.support_size(); i++) target[active_.support()[i]] = active_.coefficients()[i];
    for (int a = 0; a < k; a++) product_[a] = linear_[a] - active_.gradient()[a] - ridge * at.l2[a] * target[a];
    product_size_ = 0;  // until the step is taken in full
    restart_ = in_step_ = moved_on_support_ = false;
  }

  void minimize_in_box(const Point& at, const Quadratic& h, double strength, double tol, std::vector<double>& target) {
    target = at.coefs;
    left_.resize(target.size());
    const bool settled =
        ActiveBox::takes(h, strength) &&
        active_box_.minimize(active_, h, at.lower, at.upper, strength, std::max(tol, noise(at.l1) / strength), restart_, target.data(), left_.data());
    restart_ = !settled;
    if (!settled) {
      target = at.coefs;
      boxed_.minimize(h, at.lower, at.upper, strength, tol, target.data(), left_.data());
    }
    for (size_t a = 0; a < target.size(); a++) product_[a] = linear_[a] - left_[a] - h.ridge * at.l2[a] * target[a];
    product_size_ = 0;  // until the step is taken in full
  }

  // Rounding of a gradient per unit of l1: below it, identical columns would take turns for ever.
  double noise(const std::vector<double>& l1) const {
    double largest = 0;
    for (size_t a = 0; a < l1.size(); a++) largest = std::max(largest, std::fabs(linear_[a]) / l1[a]);
    return 4 * std::numeric_limits<double>::epsilon() * largest;
  }

  Quadratic quadratic(const Point& at, double ridge) const {
    Quadratic h;
    h.gram = gram_.data();
    h.ld = gram_.ld();
    h.size = static_cast<int>(at.coefs.size());
    h.linear = linear_.data();
    h.l1 = at.l1.data();
    h.l2 = at.l2.data();
    h.ridge = ridge;
    return h;
  }

  // product_ = H b. After a full step it is known from the solution of the last model, but for new candidates.
  void update_product(const std::vector<double>& coefs) {
    const int k = static_cast<int>(coefs.size());
    product_.resize(k);
    columns_.clear();
    if (product_size_ > 0) {
      for (int a = product_size_; a < k; a++) columns_.push_back(a);
      kernels().picked_dots(gram_.data(), gram_.ld(), k, columns_.data(), static_cast<Index>(columns_.size()), coefs.data(),
                            product_.data() + product_size_);
      return;
    }
    negated_.clear();
    std::fill(product_.begin(), product_.end(), 0.0);
    for (int a = 0; a < k; a++) {
      if (coefs[a] == 0) continue;
      columns_.push_back(a);
      negated_.push_back(-coefs[a]);
    }
    kernels().subtract_columns(gram_.data(), gram_.ld(), k, columns_.data(), static_cast<Index>(columns_.size()), negated_.data(), product_.data());
  }

  FreeBlock raw_free_, free_;  // as it is, and as the Hessian sees it
  CoupledRows coupled_;
  CandidateGram gram_;
  ActiveSet active_;
  ActiveBox active_box_;
  BoxedQuadratic boxed_;
  std::vector<double> weights_, linear_, slope_, on_support_, product_, negated_, left_;
  std::vector<int> columns_;
  double curvature_ = 1;
  int product_size_ = 0;  // leading entries of product_ that stand
  bool exists_ = false, restart_ = false, in_step_ = false, moved_on_support_ = false;
};

}  // namespace shrinkage
