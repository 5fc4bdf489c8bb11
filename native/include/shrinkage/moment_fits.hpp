#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/active_set.hpp"
#include "shrinkage/team.hpp"

// Paths of several fits from moments M = D'D, D = [X, y, Q], alone: a fit is all rows without some, so its moments are a
// difference. With Q eliminated, M / total is [H h; h' yy]: what the objective, the optimality conditions, the duality
// gap and squared errors on other rows ask for.
namespace shrinkage {
namespace moments {

struct Fits {
  Index count, m, q, strengths, tests;
  const double* all;       // (size x size), size = m + 1 + q
  const double* left_out;  // (count - 1, size x size); the first fit leaves nothing out
  const double* test;      // (tests, size x size): rows that fit k + 1 is scored on
  const double* inverse;   // (count, q x q) pseudo-inverse of Q'Q on the fit's rows
  const double *total, *test_total, *yy;
  const double* null;     // (count) objective of the null model; 0 where it explains y
  const int* rank;        // (count) largest support
  const double *l1, *l2;  // (count, m); l2 null: a lasso
  const double *strength, *ridge;
  double tol;
  // what is found
  double* coefs;  // (kept, strengths, m), for the first `kept` fits
  Index kept;
  int* steps;      // (strengths) of the first fit
  double* gaps;    // (count, strengths)
  double* kkt;     // (strengths) largest violation in the first fit
  double* scores;  // (strengths, tests) mean squared errors

  Index size() const { return m + 1 + q; }
};

// One fit after another in the same memory.
class FitSolver {
 public:
  explicit FitSolver(const Fits& of)
      : fits_(of),
        gram_(of.m * of.m),
        linear_(of.m),
        explained_(of.q * (of.m + 1)),
        own_(of.kept < of.count ? of.strengths * of.m : 0),
        product_(of.strengths * of.size()),
        errors_(of.tests ? of.strengths * of.size() : 0),
        steps_(of.strengths),
        supports_(of.strengths) {}

  void solve(Index f) {
    coefs_ = f < fits_.kept ? fits_.coefs + f * fits_.strengths * fits_.m : own_.data();
    eliminate(f);
    walk(f);
    certify(f);
    if (f > 0 && f <= fits_.tests) score(f);
  }

 private:
  // H = (M_XX - M_XQ (M_QQ)^-1 M_QX) / total, and h
  void eliminate(Index f) {
    const Index size = fits_.size(), m = fits_.m, q = fits_.q;
    const double* whole = fits_.all;
    const double* out = f > 0 ? fits_.left_out + (f - 1) * size * size : nullptr;
    const auto entry = [=](Index r, Index c) { return out ? whole[c * size + r] - out[c * size + r] : whole[c * size + r]; };
    const double* inverse = fits_.inverse + f * q * q;
    for (Index a = 0; a <= m; a++)
      for (Index k = 0; k < q; k++) {
        double sum = 0;
        for (Index l = 0; l < q; l++) sum += inverse[k * q + l] * entry(a, m + 1 + l);
        explained_[k * (m + 1) + a] = sum;
      }
    const double share = 1 / fits_.total[f];
    const bool nothing_left = fits_.null[f] == 0;
    for (Index c = 0; c < m; c++) {
      double* into = gram_.data() + c * m;
      if (out)
        for (Index r = 0; r < m; r++) into[r] = whole[c * size + r] - out[c * size + r];
      else
        std::copy_n(whole + c * size, m, into);
      double left = entry(c, m);
      for (Index k = 0; k < q; k++) {
        const double cross = entry(c, m + 1 + k);
        const double* explained = explained_.data() + k * (m + 1);
        for (Index r = 0; r < m; r++) into[r] -= cross * explained[r];
        left -= cross * explained[m];
      }
      for (Index r = 0; r < m; r++) into[r] *= share;
      linear_[c] = nothing_left ? 0 : left * share;
    }
  }

  void walk(Index f) {
    const Index m = fits_.m;
    Quadratic q;
    q.gram = gram_.data();
    q.ld = m;
    q.size = static_cast<int>(m);
    q.linear = linear_.data();
    q.l1 = fits_.l1 + f * m;
    q.l2 = fits_.l2 ? fits_.l2 + f * m : nullptr;
    q.ridge = fits_.ridge[0];
    ActiveSet active;
    active.set_max_support(fits_.l2 ? std::numeric_limits<int>::max() : fits_.rank[f]);
    active.attach(q);
    for (Index t = 0; t < fits_.strengths; t++) {
      active.set_ridge(fits_.ridge[t]);
      steps_[t] = active.solve_continued(fits_.strength[t], fits_.tol);
      double* into = coefs_ + t * m;
      std::fill_n(into, m, 0.0);
      for (int i = 0; i < active.support_size(); i++) into[active.support()[i]] = active.coefficients()[i];
    }
    if (f == 0) std::copy(steps_.begin(), steps_.end(), fits_.steps);
  }

  // Correlations z = h - H w anew, and from them the gap of every strength.
  void certify(Index f) {
    const int m = static_cast<int>(fits_.m), strengths = static_cast<int>(fits_.strengths);
    for (Index t = 0; t < strengths; t++) std::copy(linear_.begin(), linear_.end(), product_.data() + t * m);
    linalg::gemm(linalg::Op::none, linalg::Op::none, m, strengths, m, -1, gram_.data(), std::max(m, 1), coefs_, std::max(m, 1), 1, product_.data(),
                 std::max(m, 1));
    for (Index t = 0; t < strengths; t++) {
      fits_.gaps[f * strengths + t] = gap(f, t, coefs_ + t * m, product_.data() + t * m);
      if (f == 0) fits_.kkt[t] = violation(t, coefs_ + t * m, product_.data() + t * m);
    }
  }

  // With z the correlations, a = yy - h'w = <y, residual> and s = a - w'z = |residual|^2, all per unit of weight.
  double gap(Index f, Index t, const double* w, const double* z) const {
    const double *l1 = fits_.l1 + f * fits_.m, *l2 = fits_.l2 ? fits_.l2 + f * fits_.m : nullptr;
    const double strength = fits_.strength[t], ridge = fits_.ridge[t];
    double agreement = fits_.yy[f], inner = 0, penalty = 0, squares = 0, excess = 0, ratio = 0;
    for (Index j = 0; j < fits_.m; j++) {
      const double size = std::fabs(z[j]);
      if (w[j] != 0) {
        agreement -= linear_[j] * w[j];
        inner += w[j] * z[j];
        penalty += l1[j] * std::fabs(w[j]);
        if (l2) squares += l2[j] * w[j] * w[j];
      }
      if (l2) {
        const double over = std::max(size - strength * l1[j], 0.0);
        excess += over * over / l2[j];
      } else if (!(size <= ratio * l1[j])) {
        ratio = std::isnan(ratio) ? ratio : size / l1[j];
      }
    }
    const double left = std::max(agreement - inner, 0.0), objective = 0.5 * left + strength * penalty + 0.5 * ridge * squares;
    if (l2) return objective - (agreement - 0.5 * left - excess / (2 * ridge));
    if (std::isnan(ratio)) return ratio;
    const double cap = ratio > 0 ? strength / ratio : std::numeric_limits<double>::infinity();
    const double scale = std::min(std::max(left > 0 ? agreement / left : 0.0, -cap), cap);
    return objective - (scale * agreement - 0.5 * scale * scale * left);
  }

  double violation(Index t, const double* w, const double* z) const {
    double most = 0;
    for (Index j = 0; j < fits_.m; j++) {
      const double limit = fits_.strength[t] * fits_.l1[j], c = z[j] - (fits_.l2 ? fits_.ridge[t] * fits_.l2[j] * w[j] : 0.0);
      const double off = w[j] == 0 ? std::fabs(c) - limit : std::fabs(c - std::copysign(limit, w[j]));
      most = std::max(most, off);
    }
    return most;
  }

  // Mean squared errors e'Te / total on the rows left out, e = [-w, 1, -b] and T their moments.
  void score(Index f) {
    const Index m = fits_.m, q = fits_.q, size = fits_.size(), strengths = fits_.strengths;
    for (Index t = 0; t < strengths; t++) {
      const double* w = coefs_ + t * m;
      double* e = errors_.data() + t * size;
      for (Index j = 0; j < m; j++) e[j] = -w[j];
      e[m] = 1;
      for (Index k = 0; k < q; k++) {
        const double* explained = explained_.data() + k * (m + 1);
        double free = explained[m];
        for (Index j = 0; j < m; j++) free -= explained[j] * w[j];
        e[m + 1 + k] = -free;
      }
    }
    const int d = static_cast<int>(size);
    linalg::gemm(linalg::Op::none, linalg::Op::none, d, static_cast<int>(strengths), d, 1, fits_.test + (f - 1) * size * size, d, errors_.data(), d,
                 0, product_.data(), d);
    for (Index t = 0; t < strengths; t++) {
      double sum = 0;
      for (Index j = 0; j < size; j++) sum += errors_[t * size + j] * product_[t * size + j];
      fits_.scores[t * fits_.tests + f - 1] = std::max(sum, 0.0) / fits_.test_total[f - 1];
    }
  }

  const Fits& fits_;
  std::vector<double> gram_, linear_, explained_, own_, product_, errors_;
  std::vector<int> steps_, supports_;
  double* coefs_ = nullptr;
};

inline void solve(const Fits& fits) {
  const double m = static_cast<double>(fits.m), count = static_cast<double>(fits.count);
  const std::size_t members = team::members(fits.count, count * (m * m * m / 3 + 2 * m * m * static_cast<double>(fits.strengths)));
  std::vector<std::unique_ptr<FitSolver>> solvers(members);
  team::share(members, fits.count, [&](Index f, std::size_t member) {
    if (!solvers[member]) solvers[member] = std::make_unique<FitSolver>(fits);
    solvers[member]->solve(f);
  });
}

}  // namespace moments
}  // namespace shrinkage
