#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace shrinkage {

// What correlations z say of groups of columns: for each the strength at which it may be zero, and its part of the
// conjugate of the penalty strength (sum_j l1[j] |w_j| + sum_g lam[g] |w_g|) + ridge / 2 sum_j l2[j] w_j^2.
// The columns of group g are columns[starts[g] .. starts[g + 1]); each has `responses` numbers, side by side.
struct GroupTermsView {
  const std::int64_t *starts, *columns;
  const double *l1, *l2, *lam, *scale;  // scale: correlations are divided by it; l1, l2, scale of columns of X
  std::int64_t groups;
  int responses;
};

namespace group_scan {

// |z| of a group, beside its weights
struct Members {
  std::vector<double> z, l1, l2;
};

inline void gather(const GroupTermsView& terms, std::int64_t g, const double* correlations, Members& m) {
  m.z.clear();
  m.l1.clear();
  m.l2.clear();
  for (std::int64_t a = terms.starts[g]; a < terms.starts[g + 1]; a++) {
    const std::int64_t j = terms.columns[a];
    for (int k = 0; k < terms.responses; k++) {
      m.z.push_back(std::fabs(correlations[j * terms.responses + k]) / terms.scale[j]);
      m.l1.push_back(terms.l1[j]);
      m.l2.push_back(terms.l2[j]);
    }
  }
}

// The least r with |max(|z| - r l1, 0)| <= r lam: Newton's method from the left on a convex, falling function. 0 where
// only squares act; nan where z is not finite.
inline double ratio(const Members& m, double lam) {
  double square = 0, most = 0;
  bool l1 = false;
  for (std::size_t i = 0; i < m.z.size(); i++) {
    square += m.z[i] * m.z[i];
    most = std::max(most, m.z[i]);
    l1 = l1 || m.l1[i] > 0;
  }
  if (!std::isfinite(square)) return std::numeric_limits<double>::quiet_NaN();
  if (!l1) return lam > 0 ? std::sqrt(square) / lam : 0.0;
  double r = 0;
  if (lam <= 0) {
    for (std::size_t i = 0; i < m.z.size(); i++)
      if (m.l1[i] > 0) r = std::max(r, m.z[i] / m.l1[i]);
    return r;
  }
  for (int step = 0; step < 100; step++) {
    double length = 0, slope = 0;
    for (std::size_t i = 0; i < m.z.size(); i++) {
      const double left = m.z[i] - r * m.l1[i];
      if (left <= 0) continue;
      length += left * left;
      slope += left * m.l1[i];
    }
    length = std::sqrt(length);
    const double above = length - r * lam;
    if (!(above > 1e-15 * most)) break;
    const double next = r + above / (slope / length + lam);
    if (!(next > r)) break;
    r = next;
  }
  return r;
}

// sup over w of <z, w> - penalty(w), for one group: 1/2 sum_i h_i x_i^2 with x its maximizer; inf where there is none.
inline double conjugate(const Members& m, double lam, double strength, double ridge) {
  const double edge = strength * lam;
  double square = 0, fixed = 0, least = std::numeric_limits<double>::infinity(), most = 0;
  for (std::size_t i = 0; i < m.z.size(); i++) {
    const double s = std::max(m.z[i] - strength * m.l1[i], 0.0), h = ridge * m.l2[i];
    square += s * s;
    if (s > 0 && h <= 0) fixed += s * s;
    if (s > 0) least = std::min(least, h), most = std::max(most, h);
  }
  if (std::sqrt(square) <= edge) return 0;
  if (fixed > 0 && std::sqrt(fixed) >= edge) return std::numeric_limits<double>::infinity();
  if (least == most) return std::pow(std::sqrt(square) - edge, 2) / (2 * least);
  double r = 0, total = 0;  // the root of sum (s / (h r + edge))^2 = 1, approached from below
  if (edge > 0) {
    for (int step = 0; step < 200; step++) {
      double first = 0, second = 0;
      for (std::size_t i = 0; i < m.z.size(); i++) {
        const double s = std::max(m.z[i] - strength * m.l1[i], 0.0), d = ridge * m.l2[i] * r + edge;
        first += s * s / (d * d);
        second += s * s * ridge * m.l2[i] / (d * d * d);
      }
      const double next = r + first * (std::sqrt(first) - 1) / second;
      if (!(next > r * (1 + 1e-15))) break;
      r = next;
    }
  }
  for (std::size_t i = 0; i < m.z.size(); i++) {
    const double s = std::max(m.z[i] - strength * m.l1[i], 0.0), h = ridge * m.l2[i];
    if (!(h > 0) || s == 0) continue;
    const double x = edge > 0 ? s * r / (h * r + edge) : s / h;
    total += 0.5 * h * x * x;
  }
  return total;
}

}  // namespace group_scan

// Correlations C (responses * columns of X, count), column-major. ratios (groups x count); conjugates (count) where they
// are asked for, at these strengths and ridges.
inline void scan_groups(const GroupTermsView& terms, const double* C, std::int64_t rows, std::int64_t count, double* ratios, double* conjugates,
                        const double* strengths, const double* ridges) {
  group_scan::Members members;
  for (std::int64_t t = 0; t < count; t++) {
    double sum = 0;
    for (std::int64_t g = 0; g < terms.groups; g++) {
      group_scan::gather(terms, g, C + t * rows, members);
      ratios[t * terms.groups + g] = group_scan::ratio(members, terms.lam[g]);
      if (conjugates) sum += group_scan::conjugate(members, terms.lam[g], strengths[t], ridges[t]);
    }
    if (conjugates) conjugates[t] = sum;
  }
}

}  // namespace shrinkage
