#include "shrinkage/linalg.hpp"

#include <limits>

#include "check.hpp"
#include "reference_blas.hpp"

using namespace shrinkage::linalg;

namespace {

// a lower factor with leading dimension ld; above the diagonal stands NaN, which nobody may read
std::vector<double> lower_factor(int m, int ld, check::Random& random) {
  std::vector<double> L(static_cast<std::size_t>(ld) * m, std::numeric_limits<double>::quiet_NaN());
  for (int j = 0; j < m; j++)
    for (int i = j; i < m; i++) L[j * ld + i] = i == j ? 2 + random.next() : random.next();
  return L;
}

}  // namespace

TEST("gemm multiplies with either operand transposed, and beta 0 forgets what stood in C") {
  check::Random random(1);
  const int m = 3, n = 4, k = 5;
  const auto A = random.vector(m * k), B = random.vector(k * n);
  std::vector<double> At(k * m), Bt(n * k);
  for (int i = 0; i < m; i++)
    for (int l = 0; l < k; l++) At[i * k + l] = A[l * m + i];
  for (int l = 0; l < k; l++)
    for (int j = 0; j < n; j++) Bt[l * n + j] = B[j * k + l];
  for (int form = 0; form < 4; form++) {
    const bool ta = form & 1, tb = form & 2;
    std::vector<double> C(m * n, std::numeric_limits<double>::quiet_NaN());
    gemm(ta ? Op::transpose : Op::none, tb ? Op::transpose : Op::none, m, n, k, 2.0, ta ? At.data() : A.data(), ta ? k : m, tb ? Bt.data() : B.data(),
         tb ? n : k, 0.0, C.data(), m);
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++) {
        double s = 0;
        for (int l = 0; l < k; l++) s += A[l * m + i] * B[j * k + l];
        CHECK_CLOSE(C[j * m + i], 2 * s, 1e-14);
      }
  }
}

TEST("gemv agrees with gemm of one column") {
  check::Random random(2);
  const int m = 4, n = 3;
  const auto A = random.vector(m * n), x = random.vector(m), start = random.vector(n);
  auto y = start, twin = start;
  gemv(Op::transpose, m, n, 0.5, A.data(), m, x.data(), -1.0, y.data());
  gemm(Op::transpose, Op::none, n, 1, m, 0.5, A.data(), m, x.data(), m, -1.0, twin.data(), n);
  for (int i = 0; i < n; i++) CHECK_CLOSE(y[i], twin[i], 1e-14);
}

TEST("syrk writes the lower triangle and leaves the upper one alone") {
  check::Random random(3);
  const int n = 4, k = 6;
  const auto A = random.vector(n * k);
  std::vector<double> C(n * n, 7.0);
  syrk(Op::none, n, k, 1.0, A.data(), n, 0.0, C.data(), n);
  for (int j = 0; j < n; j++)
    for (int i = 0; i < n; i++) {
      double s = 0;
      for (int l = 0; l < k; l++) s += A[l * n + i] * A[l * n + j];
      CHECK_CLOSE(C[j * n + i], i >= j ? s : 7.0, 1e-14);
    }
}

TEST("triangular solves undo the product, forward and transposed, one vector or many") {
  check::Random random(4);
  const int m = 5, ld = 7;
  const auto L = lower_factor(m, ld, random), x = random.vector(m);
  for (const Op op : {Op::none, Op::transpose}) {
    std::vector<double> b(m, 0.0);
    for (int i = 0; i < m; i++)
      for (int l = 0; l < m; l++) {
        const int row = op == Op::none ? i : l, column = op == Op::none ? l : i;
        if (row >= column) b[i] += L[column * ld + row] * x[l];
      }
    auto twice = b;
    twice.insert(twice.end(), b.begin(), b.end());
    solve_lower(op, m, L.data(), ld, b.data());
    for (int i = 0; i < m; i++) CHECK_CLOSE(b[i], x[i], 1e-13);
    if (op == Op::transpose) continue;
    solve_lower(m, 2, L.data(), ld, twice.data(), m);
    for (int i = 0; i < 2 * m; i++) CHECK_CLOSE(twice[i], x[i % m], 1e-13);
  }
}

TEST("cholesky rebuilds the matrix, and names the first minor that is not positive") {
  check::Random random(5);
  const int m = 5;
  auto L = lower_factor(m, m, random);
  std::vector<double> A(m * m);
  for (int j = 0; j < m; j++)
    for (int i = j; i < m; i++)
      for (int l = 0; l <= j; l++) A[j * m + i] += L[l * m + i] * L[l * m + j];
  CHECK(cholesky(m, A.data(), m) == 0);
  for (int j = 0; j < m; j++)
    for (int i = j; i < m; i++) CHECK_CLOSE(A[j * m + i], L[j * m + i], 1e-12);
  std::vector<double> flat{1, 1, 1, 1};
  CHECK(cholesky(2, flat.data(), 2) == 2);
}

TEST("nothing is called for empty matrices") {
  gemm(Op::none, Op::none, 0, 3, 2, 1.0, nullptr, 1, nullptr, 2, 0.0, nullptr, 1);
  gemv(Op::none, 3, 0, 1.0, nullptr, 3, nullptr, 1.0, nullptr);
  syrk(Op::none, 0, 3, 1.0, nullptr, 1, 0.0, nullptr, 1);
  solve_lower(Op::none, 0, nullptr, 1, nullptr);
  CHECK(cholesky(0, nullptr, 1) == 0);
}
