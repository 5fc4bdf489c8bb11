#pragma once
#include <vector>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// The columns of a working set, dense (column-major) or compressed; touched through picked positions. Owns nothing.
struct Columns {
  Index rows = 0;
  int count = 0;
  const double* dense = nullptr;  // null for compressed columns
  Index ld = 0;
  const Index* starts = nullptr;  // (count + 1)
  const int* row_of = nullptr;
  const double* values = nullptr;

  // out[k] = x_picked[k]' u
  void dots(const int* picked, Index m, const double* u, double* out) const {
    if (dense) {
      kernels().picked_dots(dense, ld, rows, picked, m, u, out);
      return;
    }
    for (Index k = 0; k < m; k++) {
      double sum = 0;
      for (Index z = starts[picked[k]]; z < starts[picked[k] + 1]; z++) sum += values[z] * u[row_of[z]];
      out[k] = sum;
    }
  }

  // u -= sum_k coefficients[k] x_picked[k]
  void subtract(const int* picked, Index m, const double* coefficients, double* u) const {
    if (dense) {
      kernels().subtract_columns(dense, ld, rows, picked, m, coefficients, u);
      return;
    }
    for (Index k = 0; k < m; k++)
      for (Index z = starts[picked[k]]; z < starts[picked[k] + 1]; z++) u[row_of[z]] -= coefficients[k] * values[z];
  }

  // x_j' diag(weights) x_j
  double weighted_square(int j, const double* weights) const {
    double sum = 0;
    if (dense)
      for (Index i = 0; i < rows; i++) sum += weights[i] * dense[j * ld + i] * dense[j * ld + i];
    else
      for (Index z = starts[j]; z < starts[j + 1]; z++) sum += weights[row_of[z]] * values[z] * values[z];
    return sum;
  }
};

}  // namespace shrinkage
