#pragma once
#include <cmath>
#include <utility>

#include "shrinkage/descent_kernels.hpp"

namespace shrinkage {

// x with A x = 1, scaled to sum x = 1, by elimination with pivots; A (m x m) is destroyed. False if there is no such x.
inline bool affine_weights(double* A, int m, double* x) {
  for (int i = 0; i < m; i++) x[i] = 1;
  for (int i = 0; i < m; i++) {
    int pivot = i;
    for (int k = i + 1; k < m; k++)
      if (std::fabs(A[k * m + i]) > std::fabs(A[pivot * m + i])) pivot = k;
    if (!(std::fabs(A[pivot * m + i]) > 0)) return false;
    for (int k = 0; k < m; k++) std::swap(A[pivot * m + k], A[i * m + k]);
    std::swap(x[pivot], x[i]);
    for (int k = i + 1; k < m; k++) {
      const double factor = A[k * m + i] / A[i * m + i];
      for (int q = i; q < m; q++) A[k * m + q] -= factor * A[i * m + q];
      x[k] -= factor * x[i];
    }
  }
  double total = 0;
  for (int i = m - 1; i >= 0; i--) {
    for (int k = i + 1; k < m; k++) x[i] -= A[i * m + k] * x[k];
    x[i] /= A[i * m + i];
    total += x[i];
  }
  if (!(std::fabs(total) > 0) || !std::isfinite(total)) return false;
  for (int i = 0; i < m; i++) x[i] /= total;
  return true;
}

// Shares (memory x lanes) of the last iterates in the extrapolated one, from the products of their steps (lower triangle
// by rows, lanes each): those that sum to 1 and make the combined step shortest (Anderson 1965; Bertrand & Massias 2021,
// algorithm 1). Where steps vanish the last iterate stays.
inline void extrapolation_shares(const double* products, double* shares) {
  constexpr int m = descent_memory;
  for (int t = 0; t < descent_lanes; t++) {
    double A[m * m], x[m], trace = 0;
    for (int u = 0, k = 0; u < m; u++)
      for (int v = 0; v <= u; v++, k++) A[u * m + v] = A[v * m + u] = products[k * descent_lanes + t];
    for (int u = 0; u < m; u++) trace += A[u * m + u];
    for (int u = 0; u < m; u++) A[u * m + u] += 1e-12 * trace;
    const bool found = affine_weights(A, m, x);
    for (int u = 0; u < m; u++) shares[u * descent_lanes + t] = found ? x[u] : u == m - 1;
  }
}

}  // namespace shrinkage
