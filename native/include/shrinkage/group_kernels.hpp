#pragma once
#include <cstdint>

// What the prox of a penalty on groups and its dual averaging pass to their kernels (native/kernels/k_groups.cpp,
// k_dual_groups.cpp). Plain data.
namespace shrinkage {

// A tensor seen as (outer, groups, inner) in C order; the middle index says whose group an element is.
template <class Real>
struct GroupArrays {
  Real* w;
  const Real* steps;  // one for each element; null: `step` for all
  std::int64_t outer, groups, inner;
};

// The penalty sum_i (l1 |w_i| + l2/2 w_i^2) + sum_g lam_g ||w_g||.
struct GroupScalars {
  double step, l1, l2;
  const double* lams;
  bool one_lam;  // lams holds one number, for all groups
};

// Dual averaging of such a tensor: w, z where w is 0, and the thresholds of l1 (null: no l1) and of its group at each
// element, moved by u with steps that the groups make one.
template <class Real>
struct DualGroupArrays {
  Real *w, *z, *l1_threshold, *threshold;
  const Real *u, *steps;  // one for each element; steps null: `step` for all
  std::int64_t outer, groups, inner;
};

struct DualGroupScalars {
  double step, l1, l2, memory;
  const double* lams;
  bool one_lam;  // lams holds one number, for all groups
};

// Groups are worked in panels of so many columns of the last two axes, where `inner` is narrower.
inline std::int64_t group_panel(std::int64_t outer) {
  return outer <= 2048 ? 64 : 16;
}

// How many numbers of scratch a kernel writes that keeps `arrays` of a panel's size.
inline std::int64_t group_scratch(std::int64_t outer, std::int64_t inner, int arrays) {
  const std::int64_t panel = group_panel(outer);
  return arrays * outer * ((inner > panel ? inner : panel) + 16);
}

}  // namespace shrinkage
