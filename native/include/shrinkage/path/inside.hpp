#pragma once
#include <algorithm>
#include <cmath>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// A working set at T strengths: correlations and coefficients (size x T, column-major), weights of its columns. l2 may be
// null; inverse is 1 / l1, or 0 for a column without a penalty.
struct Inside {
  Index size, strengths;
  const double *c, *coefs, *strength, *ridge, *l1, *l2, *inverse;
};

// ratios[t] = max(ratios[t], |c_j| / l1_j); conjugates[t] += sum_j max(|c_j| - strength l1_j, 0)^2 / l2_j;
// kkt[t] = max(kkt[t], what breaks an optimality condition); penalties[t] = the penalty's value
inline void read_inside(const Inside& at, double* ratios, double* conjugates, double* kkt, double* penalties) {
  for (Index t = 0; t < at.strengths; t++) {
    const double *c = at.c + t * at.size, *b = at.coefs + t * at.size, strength = at.strength[t], ridge = at.ridge[t];
    double ratio = ratios[t], conjugate = 0, violation = kkt[t], size = 0, square = 0;
    for (Index j = 0; j < at.size; j++) {
      const double limit = strength * at.l1[j], over = std::max(std::fabs(c[j]) - limit, 0.0);
      ratio = std::max(ratio, std::fabs(c[j]) * at.inverse[j]);
      size += at.l1[j] * std::fabs(b[j]);
      double gradient = c[j];
      if (at.l2) {
        if (over > 0) conjugate += over * over / at.l2[j];
        square += at.l2[j] * b[j] * b[j];
        gradient -= ridge * at.l2[j] * b[j];
      }
      const double off = std::max(std::fabs(gradient) - limit, 0.0), on = std::fabs(gradient - std::copysign(limit, b[j]));
      violation = std::max(violation, b[j] != 0 ? on : off);
    }
    ratios[t] = ratio;
    conjugates[t] += conjugate;
    kkt[t] = violation;
    penalties[t] = strength * size + 0.5 * ridge * square;
  }
}

}  // namespace shrinkage
