#include <cstdint>
#include <vector>

#include "check.hpp"
#include "shrinkage/path/listed_columns.hpp"

using namespace shrinkage;

TEST("products with listed columns are those of the columns") {
  const Index n = 1037, p = 200, k = 3;
  check::Random random(5);
  const std::vector<double> X = random.vector(n * p), R = random.vector(n * k);
  const std::vector<float> single(X.begin(), X.end());
  std::vector<std::int64_t> features;
  for (Index j = 1; j < p; j += 2) features.push_back(j);
  const Index count = static_cast<Index>(features.size());
  std::vector<double> C(count * k, 7.0), D(count * k, 7.0);
  listed_products(X.data(), n, n, features.data(), count, R.data(), k, C.data());
  listed_products(single.data(), n, n, features.data(), count, R.data(), k, D.data());
  for (Index a = 0; a < count; a++)
    for (Index t = 0; t < k; t++) {
      double sum = 0, rounded = 0;
      for (Index i = 0; i < n; i++) {
        sum += X[i + features[a] * n] * R[i + t * n];
        rounded += static_cast<double>(single[i + features[a] * n]) * R[i + t * n];
      }
      CHECK_CLOSE(C[a + t * count], sum, 1e-11);
      CHECK_CLOSE(D[a + t * count], rounded, 1e-11);
    }
}

TEST("projected columns are orthogonal to the basis, and what was removed gives them back") {
  const Index n = 301, count = 37, q = 2, ld = n;
  check::Random random(6);
  std::vector<double> Z = random.vector(ld * count), U(n * q), removed(q * count, 0.0);
  for (double& z : Z) z += 1e6;
  for (Index i = 0; i < n; i++) {  // two orthogonal columns, of lengths sqrt(n) and 2
    U[i] = 1;
    U[n + i] = i == 0 ? std::sqrt(2.0) : (i == 1 ? -std::sqrt(2.0) : 0.0);
  }
  std::vector<double> explain = U;
  for (Index i = 0; i < n; i++) explain[i] /= static_cast<double>(n), explain[n + i] /= 4;
  const std::vector<double> before = Z;
  project(Z.data(), ld, n, count, U.data(), explain.data(), q, removed.data());
  for (Index a = 0; a < count; a++) {
    for (Index t = 0; t < q; t++) {
      double along = 0;
      for (Index i = 0; i < n; i++) along += U[i + t * n] * Z[i + a * ld];
      CHECK_CLOSE(along, 0.0, 1e-11);
    }
    for (Index i = 0; i < n; i++) CHECK_CLOSE(Z[i + a * ld] + U[i] * removed[a * q] + U[n + i] * removed[1 + a * q], before[i + a * ld], 1e-8);
  }
}

TEST("a block has the listed rows of the listed columns, in their order") {
  const Index n = 53, p = 20;
  check::Random random(7);
  const std::vector<double> X = random.vector(n * p);
  const std::vector<std::int64_t> rows{4, 0, 52, 17, 4}, places{19, 0, 7};
  std::vector<double> out(rows.size() * places.size(), 7.0);
  pick_block(X.data(), n, rows.data(), static_cast<Index>(rows.size()), places.data(), static_cast<Index>(places.size()), out.data());
  for (std::size_t a = 0; a < places.size(); a++)
    for (std::size_t i = 0; i < rows.size(); i++) CHECK_CLOSE(out[i + a * rows.size()], X[rows[i] + places[a] * n], 0.0);
}
