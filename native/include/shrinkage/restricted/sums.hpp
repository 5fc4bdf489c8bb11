#pragma once
#include "shrinkage/kernels.hpp"

// Sums over rows, eight side by side: one alone waits for each addition.
namespace shrinkage {

template <class Term>
double side_by_side(Index count, const Term& term) {
  double sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  Index i = 0;
  for (; i + 8 <= count; i += 8)
    for (Index lane = 0; lane < 8; lane++) sums[lane] += term(i + lane);
  double rest = 0;
  for (; i < count; i++) rest += term(i);
  return rest + (((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
}

inline double total(const double* v, Index count) {
  return side_by_side(count, [v](Index i) { return v[i]; });
}

// v' diag(weights) v
inline double weighted_squares(const double* weights, const double* v, Index count) {
  return side_by_side(count, [weights, v](Index i) { return weights[i] * v[i] * v[i]; });
}

}  // namespace shrinkage
