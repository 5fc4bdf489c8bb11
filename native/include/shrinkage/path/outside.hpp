#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// Correlations of all columns (columns x count, column-major) at the strengths numbered `at`; weights of the columns. l2 may
// be null; inverse is 1 / l1, or 0 for a column that is not asked about.
struct Outside {
  Index columns, count;
  const double* c;
  const std::int64_t* at;
  const double *strength, *l1, *l2, *inverse;
  double tol;
};

// ratios[t] = max(ratios[t], |c_j| / l1_j); of the columns where that exceeds the strength: kkt[t] = max(kkt[t], excess of
// |c_j|), conjugates[t] += its square / l2_j, and where it does by more than a share tol, first[j] = min(first[j], t) and
// excess[j] = max(excess[j], |c_j| / (strength l1_j)).
inline void read_outside(const Outside& from, double* ratios, double* conjugates, double* kkt, std::int64_t* first, double* excess) {
  for (Index k = 0; k < from.count; k++) {
    const std::int64_t t = from.at[k];
    const double *c = from.c + k * from.columns, strength = from.strength[t];
    double every = 0, most = 0;
    kernels().ratios(c, from.inverse, from.inverse, from.columns, &every, &most);
    ratios[t] = std::max(ratios[t], most);
    if (!(most > strength)) continue;
    for (Index j = 0; j < from.columns; j++) {
      const double size = std::fabs(c[j]);
      if (!(size * from.inverse[j] > strength)) continue;
      const double limit = strength * from.l1[j], over = size - limit;
      kkt[t] = std::max(kkt[t], over);
      if (from.l2) conjugates[t] += over * over / from.l2[j];
      if (!(size > limit * (1 + from.tol))) continue;
      first[j] = std::min(first[j], t);
      excess[j] = std::max(excess[j], size / limit);
    }
  }
}

}  // namespace shrinkage
