#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "shrinkage/restricted/active_set.hpp"
#include "shrinkage/restricted/candidate_gram.hpp"

namespace shrinkage {

// The quadratic model of a smooth loss around a point b, on candidate columns K and a free block Z, with a Hessian H that is
// kept over many points. Row weights fall together as a fit grows surer, so the Hessian now is taken as `scale` times the
// one kept: the linear part, the strength and the ridge are divided by the scale instead.
class ChordModel {
 public:
  explicit ChordModel(const FreeBlock& free) : free_(free) {}

  bool exists() const { return exists_; }
  void clear() { exists_ = false; }
  int free_rank() const { return free_.rank(); }

  // A new Hessian, at these row weights.
  void renew(const Columns& x, const std::vector<int>& picked, const std::vector<double>& weights) {
    weights_ = weights;
    curvature_ = total(weights);
    free_.factor(weights_.data());
    gram_.compute(x, free_, picked, 0, weights_.data());
    exists_ = true;
    moved_elsewhere();
  }

  // Candidates from.. are new; they enter the Hessian with the weights it was made with.
  void append(const Columns& x, const std::vector<int>& picked, int from) {
    if (exists_) gram_.compute(x, free_, picked, from, weights_.data());
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

  struct Point {
    const std::vector<double>& coefs;          // b, by candidate
    const std::vector<double>& gradient;       // -gradient of the loss, by candidate
    const std::vector<double>& free_gradient;  // and on the free block
    const std::vector<double>& weights;        // of the rows, now
    const std::vector<double>& l1;
    const std::vector<double>& l2;
  };

  // target = the minimizer on the candidates, free_change = the step of the free coefficients; max_support = rank of H.
  void minimize(const Point& at, double strength, double ridge, double tol, int max_support, std::vector<double>& target,
                std::vector<double>& free_change) {
    const int k = static_cast<int>(at.coefs.size()), q = free_.count();
    const double scale = ridge > 0 ? 1.0 : total(at.weights) / curvature_;
    free_change = at.free_gradient;
    free_.forward(free_change.data());
    target.assign(k, 0.0);
    if (k > 0) minimize_candidates(at, strength / scale, ridge / scale, scale, tol, max_support, free_change, target);
    for (double& change : free_change) change /= scale;
    for (int a = 0; a < k; a++)
      for (int b = 0; b < q; b++) free_change[b] -= gram_.cross(a)[b] * (target[a] - at.coefs[a]);
    free_.backward(free_change.data());
  }

 private:
  static double total(const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); }

  void minimize_candidates(const Point& at, double strength, double ridge, double scale, double tol, int max_support,
                           const std::vector<double>& explained, std::vector<double>& target) {
    const int k = static_cast<int>(at.coefs.size()), q = free_.count();
    update_product(at.coefs);
    linear_.resize(k);
    slope_.resize(k);
    for (int a = 0; a < k; a++) {
      double g = at.gradient[a];
      for (int b = 0; b < q; b++) g -= gram_.cross(a)[b] * explained[b];
      linear_[a] = g / scale + product_[a];
      slope_[a] = g / scale - ridge * at.l2[a] * at.coefs[a];
    }
    const Quadratic h = quadratic(at, ridge);
    active_.set_max_support(ridge > 0 ? std::numeric_limits<int>::max() : max_support);
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
    restart_ = in_step_ = false;
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

  FreeBlock free_;
  CandidateGram gram_;
  ActiveSet active_;
  std::vector<double> weights_, linear_, slope_, product_, negated_;
  std::vector<int> columns_;
  double curvature_ = 1;
  int product_size_ = 0;  // leading entries of product_ that stand
  bool exists_ = false, restart_ = false, in_step_ = false;
};

}  // namespace shrinkage
