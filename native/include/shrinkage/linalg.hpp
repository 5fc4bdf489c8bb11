#pragma once
#include <cstdint>

// BLAS and LAPACK, column-major, through a table of pointers that somebody else fills: SciPy's own functions when Python
// loads us (bindings/bind_linalg.cpp), a small reference BLAS in the C++ tests.
namespace shrinkage {
namespace linalg {

// The Fortran integer of the BLAS at hand is 32 bits wide; import fails with a sentence if it is not.
using Int = int;

struct Table {
  void (*dgemm)(char*, char*, Int*, Int*, Int*, double*, double*, Int*, double*, Int*, double*, double*, Int*) = nullptr;
  void (*dgemv)(char*, Int*, Int*, double*, double*, Int*, double*, Int*, double*, double*, Int*) = nullptr;
  void (*dsyrk)(char*, char*, Int*, Int*, double*, double*, Int*, double*, double*, Int*) = nullptr;
  void (*dtrsm)(char*, char*, char*, char*, Int*, Int*, double*, double*, Int*, double*, Int*) = nullptr;
  void (*dtrsv)(char*, char*, char*, Int*, double*, Int*, double*, Int*) = nullptr;
  void (*dpotrf)(char*, Int*, double*, Int*, Int*) = nullptr;
};

Table& table();

enum class Op : char { none = 'N', transpose = 'T' };

// C (m x n) = alpha op(A) op(B) + beta C, inner dimension k
inline void gemm(Op ta, Op tb, Int m, Int n, Int k, double alpha, const double* A, Int lda, const double* B, Int ldb, double beta, double* C,
                 Int ldc) {
  char a = static_cast<char>(ta), b = static_cast<char>(tb);
  if (m > 0 && n > 0) table().dgemm(&a, &b, &m, &n, &k, &alpha, const_cast<double*>(A), &lda, const_cast<double*>(B), &ldb, &beta, C, &ldc);
}

// y = alpha op(A) x + beta y, A (m x n)
inline void gemv(Op t, Int m, Int n, double alpha, const double* A, Int lda, const double* x, double beta, double* y) {
  char op = static_cast<char>(t);
  Int one = 1;
  if (m > 0 && n > 0) table().dgemv(&op, &m, &n, &alpha, const_cast<double*>(A), &lda, const_cast<double*>(x), &one, &beta, y, &one);
}

// lower triangle of C (n x n) = alpha A A' + beta C (A n x k), or with Op::transpose alpha A' A + beta C (A k x n)
inline void syrk(Op t, Int n, Int k, double alpha, const double* A, Int lda, double beta, double* C, Int ldc) {
  char lower = 'L', op = static_cast<char>(t);
  if (n > 0) table().dsyrk(&lower, &op, &n, &k, &alpha, const_cast<double*>(A), &lda, &beta, C, &ldc);
}

// B (m x n) = L^-1 B
inline void solve_lower(Int m, Int n, const double* L, Int ldl, double* B, Int ldb) {
  char side = 'L', lower = 'L', op = 'N', diag = 'N';
  double one = 1;
  if (m > 0 && n > 0) table().dtrsm(&side, &lower, &op, &diag, &m, &n, &one, const_cast<double*>(L), &ldl, B, &ldb);
}

// Rows up to which a triangular solve takes less time than the call of BLAS.
constexpr Int few_rows = 16;

// x = op(L)^-1 x for few rows
inline void solve_few(Op t, Int m, const double* L, Int ldl, double* x) {
  if (t == Op::none) {
    for (Int j = 0; j < m; j++, L += ldl) {
      x[j] /= L[j];
      for (Int i = j + 1; i < m; i++) x[i] -= L[i] * x[j];
    }
    return;
  }
  for (Int j = m; j-- > 0;) {
    const double* column = L + static_cast<std::int64_t>(j) * ldl;
    double left = x[j];
    for (Int i = j + 1; i < m; i++) left -= column[i] * x[i];
    x[j] = left / column[j];
  }
}

// x = op(L)^-1 x
inline void solve_lower(Op t, Int m, const double* L, Int ldl, double* x) {
  if (m <= few_rows) return solve_few(t, m, L, ldl, x);
  char lower = 'L', op = static_cast<char>(t), diag = 'N';
  Int one = 1;
  if (m > 0) table().dtrsv(&lower, &op, &diag, &m, const_cast<double*>(L), &ldl, x, &one);
}

// A = L L' in place (lower); 0, or the order of the first minor that is not positive definite
inline Int cholesky(Int n, double* A, Int lda) {
  char lower = 'L';
  Int info = 0;
  if (n > 0) table().dpotrf(&lower, &n, A, &lda, &info);
  return info;
}

}  // namespace linalg
}  // namespace shrinkage
