#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "shrinkage/kernels.hpp"

// A certificate's reading of C = X' theta, block of columns by block of columns while the block is in cache. theta has
// one column per (fit, strength), fit-major: column f * strengths + t.
namespace shrinkage {

struct Scan {
  Index columns, fits, strengths;
  const double* strength;  // (strengths)
  const double* l1;        // (columns x fits), 0: never penalised by l1
  const double* l2;        // the same, or null: no conjugate; 0: outside the conjugate
  const bool* inside;      // (columns): in the working set
  double tol;
  double* C;          // (columns x fits strengths)
  double* ratio;      // (fits, strengths), row-major: max_j |c_j| / l1_j
  double* conjugate;  // (fits, strengths), row-major: sum_j max(|c_j| - strength l1_j, 0)^2 / l2_j
  int* first;         // (columns): first strength violated, else `strengths`
  double* excess;     // (columns): largest |c_j| / (strength l1_j) over the violations, else 0
};

inline void begin_scan(const Scan& s) {
  std::fill(s.ratio, s.ratio + s.fits * s.strengths, 0.0);
  std::fill(s.conjugate, s.conjugate + s.fits * s.strengths, 0.0);
  std::fill(s.first, s.first + s.columns, static_cast<int>(s.strengths));
  std::fill(s.excess, s.excess + s.columns, 0.0);
}

// reads columns [j, j + count) of C
inline void scan_block(const Scan& s, Index j, Index count, std::vector<double>& scratch) {
  const Kernels& kernel = kernels();
  scratch.resize(static_cast<std::size_t>(3 * count));
  double *inv = scratch.data(), *inv_outside = inv + count, *inv_l2 = inv + 2 * count;
  for (Index f = 0; f < s.fits; f++) {
    const double* l1 = s.l1 + f * s.columns + j;
    for (Index a = 0; a < count; a++) {
      inv[a] = l1[a] > 0 ? 1 / l1[a] : 0;
      inv_outside[a] = s.inside[j + a] ? 0 : inv[a];
    }
    if (s.l2) {
      const double* l2 = s.l2 + f * s.columns + j;
      for (Index a = 0; a < count; a++) inv_l2[a] = l2[a] > 0 ? 1 / l2[a] : 0;
    }
    for (Index t = 0; t < s.strengths; t++) {
      const double* c = s.C + (f * s.strengths + t) * s.columns + j;
      const double strength = s.strength[t], limit = strength * (1 + s.tol);
      double ratio, outside;
      kernel.ratios(c, inv, inv_outside, count, &ratio, &outside);
      double& most = s.ratio[f * s.strengths + t];
      if (!(ratio <= most)) most = most == most ? ratio : most;  // a NaN enters and stays
      if (outside > limit) kernel.violations(c, inv_outside, count, limit, strength, static_cast<int>(t), s.first + j, s.excess + j);
      if (s.l2) s.conjugate[f * s.strengths + t] += kernel.conjugate(c, l1, inv_l2, strength, count);
    }
  }
}

}  // namespace shrinkage
