#pragma once
#include <cmath>
#include <cstddef>

#include "shrinkage/linalg.hpp"

// The slow BLAS that stands in for SciPy's: textbook loops, column-major, only the cases that linalg.hpp asks for.
namespace reference {

using shrinkage::linalg::Int;

inline std::size_t at(Int i, Int j, Int ld) { return static_cast<std::size_t>(j) * static_cast<std::size_t>(ld) + static_cast<std::size_t>(i); }

inline double entry(char op, const double* A, Int lda, Int i, Int j) { return op == 'N' ? A[at(i, j, lda)] : A[at(j, i, lda)]; }

// beta 0 overwrites, even a NaN
inline void blend(double& c, double beta, double value) { c = beta == 0 ? value : beta * c + value; }

inline void dgemm(char* ta, char* tb, Int* m, Int* n, Int* k, double* alpha, double* A, Int* lda, double* B, Int* ldb, double* beta, double* C,
                  Int* ldc) {
  for (Int j = 0; j < *n; j++)
    for (Int i = 0; i < *m; i++) {
      double s = 0;
      for (Int l = 0; l < *k; l++) s += entry(*ta, A, *lda, i, l) * entry(*tb, B, *ldb, l, j);
      blend(C[at(i, j, *ldc)], *beta, *alpha * s);
    }
}

inline void dgemv(char* op, Int* m, Int* n, double* alpha, double* A, Int* lda, double* x, Int*, double* beta, double* y, Int*) {
  const Int rows = *op == 'N' ? *m : *n, inner = *op == 'N' ? *n : *m;
  for (Int i = 0; i < rows; i++) {
    double s = 0;
    for (Int l = 0; l < inner; l++) s += entry(*op, A, *lda, i, l) * x[l];
    blend(y[i], *beta, *alpha * s);
  }
}

// lower triangle only
inline void dsyrk(char*, char* op, Int* n, Int* k, double* alpha, double* A, Int* lda, double* beta, double* C, Int* ldc) {
  for (Int j = 0; j < *n; j++)
    for (Int i = j; i < *n; i++) {
      double s = 0;
      for (Int l = 0; l < *k; l++) s += entry(*op, A, *lda, i, l) * entry(*op, A, *lda, j, l);
      blend(C[at(i, j, *ldc)], *beta, *alpha * s);
    }
}

// x = op(L)^-1 x, lower
inline void dtrsv(char*, char* op, char*, Int* m, double* L, Int* ldl, double* x, Int*) {
  for (Int step = 0; step < *m; step++) {
    const Int i = *op == 'N' ? step : *m - 1 - step;
    double s = x[i];
    for (Int l = *op == 'N' ? 0 : i + 1; l < (*op == 'N' ? i : *m); l++) s -= entry(*op, L, *ldl, i, l) * x[l];
    x[i] = s / L[at(i, i, *ldl)];
  }
}

// from the left, lower
inline void dtrsm(char*, char* lower, char* op, char* diag, Int* m, Int* n, double* alpha, double* L, Int* ldl, double* B, Int* ldb) {
  Int one = 1;
  for (Int j = 0; j < *n; j++) {
    double* b = B + at(0, j, *ldb);
    for (Int i = 0; i < *m; i++) b[i] *= *alpha;
    dtrsv(lower, op, diag, m, L, ldl, b, &one);
  }
}

inline void dpotrf(char*, Int* n, double* A, Int* lda, Int* info) {
  *info = 0;
  for (Int j = 0; j < *n; j++) {
    double pivot = A[at(j, j, *lda)];
    for (Int l = 0; l < j; l++) pivot -= A[at(j, l, *lda)] * A[at(j, l, *lda)];
    if (!(pivot > 0)) {
      *info = j + 1;
      return;
    }
    A[at(j, j, *lda)] = std::sqrt(pivot);
    for (Int i = j + 1; i < *n; i++) {
      double s = A[at(i, j, *lda)];
      for (Int l = 0; l < j; l++) s -= A[at(i, l, *lda)] * A[at(j, l, *lda)];
      A[at(i, j, *lda)] = s / A[at(j, j, *lda)];
    }
  }
}

struct Installed {
  Installed() {
    shrinkage::linalg::Table& t = shrinkage::linalg::table();
    t.dgemm = dgemm;
    t.dgemv = dgemv;
    t.dsyrk = dsyrk;
    t.dtrsm = dtrsm;
    t.dtrsv = dtrsv;
    t.dpotrf = dpotrf;
  }
};
static const Installed installed;

}  // namespace reference
