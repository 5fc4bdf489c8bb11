#include "shrinkage/kernels.hpp"

namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

void picked_dots(const double* G, Index ld, Index rows, const int* columns, Index count, const double* x, double* out) {
  Index k = 0;
  for (; k + 4 <= count; k += 4) {
    const double* a = G + columns[k] * ld;
    const double* b = G + columns[k + 1] * ld;
    const double* c = G + columns[k + 2] * ld;
    const double* d = G + columns[k + 3] * ld;
    double sa = 0, sb = 0, sc = 0, sd = 0;
    for (Index i = 0; i < rows; i++) {
      sa += a[i] * x[i];
      sb += b[i] * x[i];
      sc += c[i] * x[i];
      sd += d[i] * x[i];
    }
    out[k] = sa;
    out[k + 1] = sb;
    out[k + 2] = sc;
    out[k + 3] = sd;
  }
  for (; k < count; k++) {
    const double* a = G + columns[k] * ld;
    double s = 0;
    for (Index i = 0; i < rows; i++) s += a[i] * x[i];
    out[k] = s;
  }
}

void subtract_columns(const double* G, Index ld, Index rows, const int* columns, Index count, const double* coefficients, double* y) {
  Index k = 0;
  for (; k + 8 <= count; k += 8) {
    const double *g[8], *b = coefficients + k;
    for (int a = 0; a < 8; a++) g[a] = G + columns[k + a] * ld;
    for (Index i = 0; i < rows; i++)
      y[i] -= ((b[0] * g[0][i] + b[1] * g[1][i]) + (b[2] * g[2][i] + b[3] * g[3][i])) +
              ((b[4] * g[4][i] + b[5] * g[5][i]) + (b[6] * g[6][i] + b[7] * g[7][i]));
  }
  for (; k + 4 <= count; k += 4) {
    const double* a = G + columns[k] * ld;
    const double* b = G + columns[k + 1] * ld;
    const double* c = G + columns[k + 2] * ld;
    const double* d = G + columns[k + 3] * ld;
    const double p = coefficients[k], q = coefficients[k + 1], r = coefficients[k + 2], s = coefficients[k + 3];
    for (Index i = 0; i < rows; i++) y[i] -= (p * a[i] + q * b[i]) + (r * c[i] + s * d[i]);
  }
  for (; k < count; k++) {
    const double* a = G + columns[k] * ld;
    const double p = coefficients[k];
    for (Index i = 0; i < rows; i++) y[i] -= p * a[i];
  }
}

}  // namespace

void fill_quadratic(Kernels& table) {
  table.picked_dots = picked_dots;
  table.subtract_columns = subtract_columns;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
