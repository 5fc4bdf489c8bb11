#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "shrinkage/kernels.hpp"

// A certificate's reading of C = X' theta, block of columns by block of columns while the block is in cache. theta has
// one column per (fit, strength), fit-major: column f * strengths + t. Blocks may be read in any order and at once;
// what is summed over them is kept for each and put together at the end, in their order.
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

class Reading {
 public:
  Reading(const Scan& scan, Index blocks) : scan_(scan), pairs_(scan.fits * scan.strengths) {
    ratios_.assign(static_cast<std::size_t>(blocks * pairs_), 0.0);
    if (scan.l2) conjugates_.assign(static_cast<std::size_t>(blocks * pairs_), 0.0);
    std::fill(scan.first, scan.first + scan.columns, static_cast<int>(scan.strengths));
    std::fill(scan.excess, scan.excess + scan.columns, 0.0);
  }

  // reads columns [j, j + count) of C, the given block
  void read(Index block, Index j, Index count, std::vector<double>& scratch) {
    const Scan& s = scan_;
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
        const Index pair = f * s.strengths + t;
        const double* c = s.C + pair * s.columns + j;
        const double strength = s.strength[t], limit = strength * (1 + s.tol);
        double outside;
        kernel.ratios(c, inv, inv_outside, count, &ratios_[block * pairs_ + pair], &outside);
        if (outside > limit) kernel.violations(c, inv_outside, count, limit, strength, static_cast<int>(t), s.first + j, s.excess + j);
        if (s.l2) conjugates_[block * pairs_ + pair] = kernel.conjugate(c, l1, inv_l2, strength, count);
      }
    }
  }

  void finish() const {
    for (Index pair = 0; pair < pairs_; pair++) {
      double most = 0, sum = 0;
      for (std::size_t at = pair; at < ratios_.size(); at += pairs_) {
        if (!(ratios_[at] <= most)) most = most == most ? ratios_[at] : most;  // a NaN enters and stays
        if (scan_.l2) sum += conjugates_[at];
      }
      scan_.ratio[pair] = most;
      scan_.conjugate[pair] = sum;
    }
  }

 private:
  const Scan& scan_;
  const Index pairs_;
  std::vector<double> ratios_, conjugates_;  // (blocks x fits x strengths)
};

}  // namespace shrinkage
