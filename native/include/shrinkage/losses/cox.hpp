#pragma once
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "shrinkage/losses/risk_sets.hpp"
#include "shrinkage/restricted/dual_point.hpp"

namespace shrinkage {

// Minus the log partial likelihood of censored times, less its least value:
//
//   sum over deaths a of  c_a (log S_a - log s_a) - v_a eta_a,    S_a = sum of v_j exp(eta_j) over the risk set of a
//
// for row weights v, c_a the mean weight of those who die with a, s_a the S_a of equal eta with nobody else at risk. With
// Efron's ties the l-th of m who die together (l from 0) counts their own terms 1 - l/m times. The same offers to
// ProxNewton as a loss of rows; curvatures belong to the rows that RunningMeans makes.
class Cox {
 public:
  static constexpr double least_curvature = 1e-9;  // of a row, in the Hessian only
  static constexpr double least_objective() { return 1e-3; }
  static constexpr bool kinked() { return false; }
  Index rows = 0;
  const double* y = nullptr;        // 1 where the row dies
  const double* weights = nullptr;  // those of the risk sets
  const double* offset = nullptr;   // or null for zeros
  std::shared_ptr<const RiskSets> sets;

  // moved = eta + t step; residual = minus the derivative, curvature = that of the rows of `means`, at moved (at least
  // floor v); returns residual'step
  double sweep(const double* eta, const double* step, double t, double floor, double* moved, double* residual, double* curvature) const {
    for (Index i = 0; i < rows; i++) moved[i] = eta[i] + t * step[i];
    forward(moved);
    std::fill_n(residual, rows, 0.0);
    std::fill_n(curvature, rows, 0.0);
    backward([&](const RiskGroup& g, const Sums& s, double among_all, double after) { slopes(g, s, among_all, after, floor, residual, curvature); });
    double along = 0;
    for (Index i = 0; i < rows; i++) along += residual[i] * step[i];
    return along;
  }

  double value(const double* eta) const {
    forward(eta);
    double sum = 0;
    for (size_t k = 0; k < sums_.size(); k++) {
      const RiskGroup& g = sets->groups[k];
      const Sums& s = sums_[k];
      each_term(g, s, [&](double c, double kept, double total) { sum += c * (s.top + std::log(total / (kept * g.death_weight))); });
      for (int at = g.deaths; at < g.end; at++) sum -= weights[sets->order[at]] * eta[sets->order[at]];
    }
    return std::max(0.0, sum);
  }

  // The transform under which the Hessian at eta is diagonal.
  void means(const double* eta, RunningMeans& into) const {
    forward(eta);
    into.set(sets.get(), rows);
    for (size_t k = 0; k < sums_.size(); k++) {
      const RiskGroup& g = sets->groups[k];
      double base = sums_[k].before, dying = 0;
      for (int at = g.first; at < g.deaths; at++) into.share(at) = share(e_[at], base);
      for (int at = g.deaths; at < g.end; at++) into.share(at) = share(e_[at], dying);
      if (g.deaths < g.end) into.share(g.deaths) = share(dying, base);
    }
  }

  // step'H step at eta, where the curvatures are known
  double bend(const double* eta, const double* step, const double* curvature) const {
    means(eta, means_);
    moved_.resize(rows);
    double* into = moved_.data();
    means_.apply(&step, &into, 1);
    double sum = 0;
    for (Index i = 0; i < rows; i++) sum += curvature[i] * moved_[i] * moved_[i];
    return sum;
  }

 private:
  // of a group, in units of exp(top): those at risk before it, then with its censored rows; those who die in it
  struct Sums {
    double top, before, others, dying;
  };

  // what a row of e joins takes of the mean, and its sum then
  static double share(double e, double& sum) {
    sum += e;
    return sum > 0 ? e / sum : 0.0;
  }

  // c, the part that own terms keep, and the sum over the risk set of each death of a group
  template <class Use>
  void each_term(const RiskGroup& g, const Sums& s, Use use) const {
    const int m = g.end - g.deaths;
    if (m == 0) return;
    if (!sets->efron) {
      use(g.death_weight, 1.0, s.others + s.dying);
      return;
    }
    for (int l = 0; l < m; l++) {
      const double kept = 1.0 - static_cast<double>(l) / m;
      use(g.death_weight / m, kept, s.others + kept * s.dying);
    }
  }

  // e_ (by position) and sums_ (by group); `top`, the largest eta met so far in the stratum, keeps all of them finite
  void forward(const double* eta) const {
    e_.resize(sets->order.size());
    sums_.resize(sets->groups.size());
    double top = 0, total = 0;
    for (size_t k = 0; k < sums_.size(); k++) {
      const RiskGroup& g = sets->groups[k];
      double highest = g.opens ? -std::numeric_limits<double>::infinity() : top;
      for (int at = g.first; at < g.end; at++) highest = std::max(highest, eta[sets->order[at]]);
      Sums& s = sums_[k];
      s.top = highest;
      s.before = g.opens ? 0 : highest > top ? total * std::exp(top - highest) : total;
      s.others = s.before;
      s.dying = 0;
      for (int at = g.first; at < g.end; at++) {
        e_[at] = weights[sets->order[at]] * std::exp(eta[sets->order[at]] - highest);
        (at < g.deaths ? s.others : s.dying) += e_[at];
      }
      top = highest;
      total = s.others + s.dying;
    }
  }

  // use(group, its sums, sum of c / S over its deaths and all after it in the stratum, that over those after it alone),
  // in units of exp(-top)
  template <class Use>
  void backward(Use use) const {
    double among_all = 0, top = 0;
    for (size_t k = sums_.size(); k-- > 0;) {
      const RiskGroup& g = sets->groups[k];
      const Sums& s = sums_[k];
      const bool last = k + 1 == sums_.size() || sets->groups[k + 1].opens;
      const double after = last ? 0 : s.top < top ? among_all * std::exp(s.top - top) : among_all;
      among_all = after;
      each_term(g, s, [&](double c, double, double total) { among_all += c / total; });
      top = s.top;
      use(g, s, among_all, after);
    }
  }

  void slopes(const RiskGroup& g, const Sums& s, double among_all, double after, double floor, double* residual, double* curvature) const {
    double among_dying = after, between = 0, base = s.before, dying = 0;
    each_term(g, s, [&](double c, double kept, double total) {
      among_dying += c * kept / total;
      between += c * (s.others / total) * (kept * s.dying / total);
    });
    for (int at = g.first; at < g.deaths; at++) {
      residual[sets->order[at]] = -e_[at] * among_all;
      curvature[at] = spread(e_[at], base, among_all, floor * weights[sets->order[at]]);
    }
    for (int at = g.deaths; at < g.end; at++) {
      const int row = sets->order[at];
      residual[row] = weights[row] - e_[at] * among_dying;
      curvature[at] = spread(e_[at], dying, among_dying, floor * weights[row]);
    }
    if (g.deaths == g.end) return;
    const double total = s.others + s.dying;
    const double first = total > 0 ? after * s.others * (s.dying / total) + between : 0.0;
    curvature[g.deaths] = base > 0 ? std::max(first, floor * g.death_weight) : 0.0;
  }

  // the weight of (x - mean)^2 where a row of e joins those of `sum`
  static double spread(double e, double& sum, double among, double least) {
    const double before = sum;
    sum += e;
    return before > 0 ? std::max(among * before * (e / sum), least) : 0.0;
  }

  mutable std::vector<double> e_, moved_;
  mutable std::vector<Sums> sums_;
  mutable RunningMeans means_;
};

template <>
struct Couples<Cox> : std::true_type {};

// The residuals themselves, at a minimizer of the free block: no conjugate is needed. With f >= 0 convex, u its gradient at
// eta and c <= 1, f*(c u) <= c f*(u) + (1 - c) f*(0) <= c (u'eta - f(eta)), and the dual objective at c u is at least c
// times what `point` returns, f(eta) - u'(eta - offset).
template <>
class DualPoint<Cox> {
 public:
  explicit DualPoint(const FreeBlock& free) : free_(free), imbalance_(free.count()) {}

  double point(const Cox& loss, const double* eta, const double* residual, double* theta, bool) {
    const Index rows = loss.rows;
    std::copy_n(residual, rows, theta);
    at_.assign(eta, eta + rows);
    for (int round = 0; free_.count() > 0 && !balanced(loss, theta); round++) {
      if (round == max_rounds) {
        std::fill_n(theta, rows, 0.0);
        return 0;
      }
      step(loss, theta);
    }
    double value = loss.value(at_.data());
    for (Index i = 0; i < rows; i++) value += theta[i] * (at_[i] - (loss.offset ? loss.offset[i] : 0.0));
    return value;
  }

 private:
  static constexpr int max_rounds = 8;

  // Z'theta is 0, up to what its sums lose to rounding
  bool balanced(const Cox& loss, const double* theta) {
    free_.dots(theta, imbalance_.data());
    double size = 0, worst = 0;
    for (Index i = 0; i < loss.rows; i++) size += theta[i] * theta[i] / std::max(loss.weights[i], 1e-300);
    for (int a = 0; a < free_.count(); a++) worst = std::max(worst, std::fabs(imbalance_[a]) / std::max(free_.root(a, loss.weights), 1e-300));
    return worst <= 1e-14 * (1 + std::sqrt(size));
  }

  // Newton on the free block
  void step(const Cox& loss, double* theta) {
    const Index rows = loss.rows;
    const int q = free_.count();
    residual_.resize(rows);
    curvature_.resize(rows);
    step_.assign(rows, 0.0);
    moved_.resize(rows);
    loss.sweep(at_.data(), step_.data(), 0, 0, moved_.data(), residual_.data(), curvature_.data());
    loss.means(at_.data(), means_);
    coupled_.resize(static_cast<size_t>(rows) * q);
    for (int a = 0; a < q; a++) {
      const double* from = free_.column(a);
      double* into = coupled_.data() + a * rows;
      means_.apply(&from, &into, 1);
    }
    FreeBlock hessian(rows, q, coupled_.data());
    hessian.factor(curvature_.data());
    hessian.forward(imbalance_.data());
    hessian.backward(imbalance_.data());
    free_.add(imbalance_.data(), step_.data());
    loss.sweep(at_.data(), step_.data(), 1, 0, moved_.data(), theta, curvature_.data());
    at_.swap(moved_);
  }

  FreeBlock free_;
  RunningMeans means_;
  std::vector<double> imbalance_, at_, residual_, curvature_, step_, moved_, coupled_;
};

}  // namespace shrinkage
