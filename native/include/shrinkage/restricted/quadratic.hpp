#pragma once
#include "shrinkage/kernels.hpp"

namespace shrinkage {

// The smooth part of a small problem on a working set of `size` coordinates, and the weights of its penalty:
//   1/2 v' H v - linear' v  +  strength sum_j l1[j] |v_j|,     H = scale gram - low_rank' low_rank + ridge diag(l2)
// A fold is the Gram of all rows with its own low_rank: the rows it leaves out, and its own mean. Owns nothing.
struct Quadratic {
  const double* gram = nullptr;  // (size x size), column-major, both triangles
  Index ld = 0;
  int size = 0;
  double scale = 1;
  const double* low_rank = nullptr;  // (rank x size), column-major
  int rank = 0;
  Index ld_low_rank = 0;
  const double* linear = nullptr;  // (size)
  const double* l1 = nullptr;      // (size), positive
  const double* l2 = nullptr;      // (size), or null for ones
  double ridge = 0;

  double curvature_of_ridge(int j) const { return l2 ? ridge * l2[j] : ridge; }

  // diagonal entry H[j, j]
  double diagonal(int j) const {
    double value = scale * gram[j * ld + j] + curvature_of_ridge(j);
    if (low_rank) {
      const double* u = low_rank + j * ld_low_rank;
      for (int i = 0; i < rank; i++) value -= u[i] * u[i];
    }
    return value;
  }

  // A pivot at most this says that column j depends on the others, or is rounding noise.
  double least_pivot(int j) const { return 1e-10 * diagonal(j) + 1e-14 * scale * gram[j * ld + j]; }
};

}  // namespace shrinkage
