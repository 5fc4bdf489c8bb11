#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/factor.hpp"

using shrinkage::Factor;

namespace {

// A positive definite matrix, by columns.
std::vector<double> positive(int m, unsigned seed) {
  const auto B = check::Random(seed).vector(m * m);
  std::vector<double> A(m * m);
  for (int j = 0; j < m; j++)
    for (int i = 0; i < m; i++) {
      for (int l = 0; l < m; l++) A[j * m + i] += B[l * m + i] * B[l * m + j];
      if (i == j) A[j * m + i] += 0.5;
    }
  return A;
}

// What the right-hand sides hold in row j of A.
Factor::Sides sides(int j) {
  return {1.0 + j, std::cos(3.0 * j)};
}

std::vector<Factor::Sides> sides(const std::vector<int>& rows) {
  std::vector<Factor::Sides> all;
  for (int j : rows) all.push_back(sides(j));
  return all;
}

// The factor of A on `rows` solves that submatrix's equations, for any right-hand side and for the two that it keeps.
void check_solves(Factor& factor, const std::vector<double>& A, int m, const std::vector<int>& rows) {
  const int size = static_cast<int>(rows.size());
  CHECK(factor.size() == size);
  const auto x = check::Random(99).vector(size);
  std::vector<double> b(size);
  for (int i = 0; i < size; i++)
    for (int l = 0; l < size; l++) b[i] += A[rows[l] * m + rows[i]] * x[l];
  factor.solve(b.data());
  for (int i = 0; i < size; i++) CHECK_CLOSE(b[i], x[i], 1e-10);
  factor.solve_sides(-0.3, b.data());
  for (int i = 0; i < size; i++) {
    double product = 0;
    for (int l = 0; l < size; l++) product += A[rows[l] * m + rows[i]] * b[l];
    CHECK_CLOSE(product, sides(rows[i])[0] - 0.3 * sides(rows[i])[1], 1e-9);
  }
}

bool append(Factor& factor, const std::vector<double>& A, int m, const std::vector<int>& rows, int j) {
  std::vector<double> cross;
  for (int i : rows) cross.push_back(A[j * m + i]);
  return factor.append(cross.data(), A[j * m + j], 1e-12, sides(j));
}

}  // namespace

TEST("rows appended one by one solve as a factor of the whole") {
  const int m = 70;  // beyond the first reservation
  const auto A = positive(m, 1);
  Factor factor;
  std::vector<int> rows;
  for (int j = 0; j < m; j++) {
    CHECK(append(factor, A, m, rows, j));
    rows.push_back(j);
  }
  check_solves(factor, A, m, rows);
}

TEST("a block appended solves as the same rows one by one, from nothing and onto others") {
  const int m = 60;  // present ones beyond a panel of the substitution, and beside it
  const auto A = positive(m, 2);
  for (const int present : {0, 5, 24, 51}) {
    Factor factor;
    std::vector<int> rows;
    for (int j = 0; j < present; j++) {
      append(factor, A, m, rows, j);
      rows.push_back(j);
    }
    const int k = 4;
    std::vector<double> cross(std::max(present, 1) * k), block(k * k), least(k, 1e-12);
    for (int a = 0; a < k; a++) {
      for (int i = 0; i < present; i++) cross[a * present + i] = A[(present + a) * m + i];
      for (int i = a; i < k; i++) block[a * k + i] = A[(present + a) * m + present + i];
    }
    std::vector<int> added;
    for (int a = 0; a < k; a++) added.push_back(present + a);
    CHECK(factor.append(k, cross.data(), block.data(), least.data(), sides(added)));
    rows.insert(rows.end(), added.begin(), added.end());
    check_solves(factor, A, m, rows);
  }
}

TEST("a row that depends on the others is refused and the factor stays as it was") {
  const int m = 6;
  auto A = positive(m, 3);
  for (int i = 0; i < m; i++) A[5 * m + i] = A[i * m + 5] = A[2 * m + i];
  A[5 * m + 5] = A[2 * m + 2];
  Factor factor;
  std::vector<int> rows;
  for (int j = 0; j < 5; j++) {
    append(factor, A, m, rows, j);
    rows.push_back(j);
  }
  CHECK(!append(factor, A, m, rows, 5));
  check_solves(factor, A, m, rows);
}

TEST("dropping any row, or several at once, leaves the factor of the rest") {
  const int m = 90;
  const auto A = positive(m, 4);
  std::vector<std::vector<int>> drops{{0, 1, 2}, {0, 40, 89}, {5, 6, 20, 77, 88, 89}, {88, 89}, {}};
  for (int j = 0; j < m; j++) drops.push_back({j});
  for (int j = 0; j < m; j += 2) drops[4].push_back(j);
  for (const auto& out : drops) {
    Factor factor;
    std::vector<int> rows;
    for (int j = 0; j < m; j++) {
      append(factor, A, m, rows, j);
      rows.push_back(j);
    }
    factor.drop(out);
    for (size_t a = out.size(); a-- > 0;) rows.erase(rows.begin() + out[a]);
    check_solves(factor, A, m, rows);
  }
}

TEST("compacting and refactoring the tail leaves the factor of the kept rows") {
  const int m = 10, from = 3;
  const auto A = positive(m, 5);
  Factor factor;
  std::vector<int> rows;
  for (int j = 0; j < m; j++) {
    append(factor, A, m, rows, j);
    rows.push_back(j);
  }
  const std::vector<int> kept{4, 6, 9};
  factor.compact(from, kept);
  const std::vector<int> left{0, 1, 2, 4, 6, 9};
  const int r = static_cast<int>(kept.size());
  for (int a = 0; a < r; a++)
    for (int i = a; i < r; i++) factor.column(from + a)[from + i] = A[kept[a] * m + kept[i]];
  CHECK(factor.refactor_tail(from, r, sides(kept)));
  check_solves(factor, A, m, left);
}

TEST("several right-hand sides at once are solved as the definition says, whatever their number and that of the rows") {
  check::Random random(5);
  for (const int rows : {1, 7, 8, 9, 40})
    for (const int count : {1, 2, 7, 8, 9, shrinkage::substitute_sides}) {
      const int ld = rows + 3, ldb = rows + 2;
      auto L = random.vector(ld * rows), B = random.vector(ldb * count);
      for (int j = 0; j < rows; j++) L[j * ld + j] += 4;
      auto found = B;
      shrinkage::kernels().substitute(rows, L.data(), ld, count, found.data(), ldb);
      for (int t = 0; t < count; t++)
        for (int i = 0; i < ldb; i++) {
          double product = i < rows ? 0 : found[t * ldb + i];
          for (int j = 0; i < rows && j <= i; j++) product += L[j * ld + i] * found[t * ldb + j];
          CHECK_CLOSE(product, B[t * ldb + i], 1e-12);
        }
    }
}
