#include "check.hpp"
#include "shrinkage/csc.hpp"

using namespace shrinkage;

namespace {

// A sparse matrix with an empty column, a full one and an explicit zero, beside its dense twin.
struct Matrix {
  Index rows, columns;
  std::vector<Index> indptr{0};
  std::vector<int> indices;
  std::vector<double> data, dense;
  std::vector<float> single;
  CscView view;

  Matrix(Index n, Index p, bool narrow, double density, unsigned seed) : rows(n), columns(p), dense(n * p) {
    check::Random random(seed);
    for (Index j = 0; j < p; j++) {
      for (Index i = n - 1; i >= 0; i--) {
        const double value = static_cast<float>(random.next());
        if (j == 0 || (j != 1 && 0.5 * (random.next() + 1) > density)) continue;
        indices.push_back(static_cast<int>(i));
        data.push_back(j == 2 ? 0.0 : value);
        dense[j * n + i] = data.back();
      }
      indptr.push_back(static_cast<Index>(indices.size()));
    }
    single.assign(data.begin(), data.end());
    view = CscView{indptr.data(), indices.data(), narrow ? static_cast<const void*>(single.data()) : data.data(), narrow, n, p};
  }
  Matrix(const Matrix&) = delete;
  double operator()(Index i, Index j) const { return dense[j * rows + i]; }
};

std::vector<Index> every_other(Index p) {
  std::vector<Index> features;
  for (Index j = p - 1; j >= 0; j -= 2) features.push_back(j);
  return features;
}

}  // namespace

TEST("X'R is that of the dense twin, for every width of panel, across blocks") {
  for (const bool narrow : {false, true})
    for (const Index k : {1, 2, 3, 5, 9, 17, 40}) {
      const Matrix X(60, products::csc_block_columns + 5, narrow, 0.05, 1);
      const auto R = check::Random(2).vector(X.rows * k);
      std::vector<double> C(X.columns * k, 1e9);
      products::correlate(X.view, R.data(), k, C.data());
      for (Index t = 0; t < k; t++)
        for (Index j = 0; j < X.columns; j += j < 8 ? 1 : 97) {
          double s = 0;
          for (Index i = 0; i < X.rows; i++) s += X(i, j) * R[t * X.rows + i];
          CHECK_CLOSE(C[t * X.columns + j], s, 1e-13);
        }
    }
}

TEST("products with some columns are those of all") {
  for (const Index k : {1, 3, 9, 40}) {
    const Matrix X(60, 23, k == 3, 0.1, 1);
    const auto R = check::Random(2).vector(X.rows * k);
    const auto features = every_other(X.columns);
    const Index count = static_cast<Index>(features.size());
    std::vector<double> all(X.columns * k), some(count * k, 1e9);
    products::correlate(X.view, R.data(), k, all.data());
    products::correlate_some(X.view, features.data(), count, R.data(), k, some.data());
    for (Index t = 0; t < k; t++)
      for (Index a = 0; a < count; a++) CHECK_CLOSE(some[t * count + a], all[t * X.columns + features[a]], 1e-15);
  }
}

TEST("combine is X on the picked features times B") {
  for (const bool narrow : {false, true})
    for (const Index k : {1, 3, 9, 40}) {
      const Matrix X(50, 21, narrow, 0.3, 3);
      const auto features = every_other(X.columns);
      const Index count = static_cast<Index>(features.size());
      const auto B = check::Random(4).vector(count * k);
      std::vector<double> out(X.rows * k, 1e9);
      products::combine(X.view, features.data(), count, B.data(), k, out.data());
      for (Index t = 0; t < k; t++)
        for (Index i = 0; i < X.rows; i++) {
          double s = 0;
          for (Index a = 0; a < count; a++) s += X(i, features[a]) * B[t * count + a];
          CHECK_CLOSE(out[t * X.rows + i], s, 1e-13);
        }
    }
}

TEST("both ways to a Gram matrix agree with the dense twin") {
  for (const double density : {0.02, 0.8})
    for (const bool weighted : {false, true}) {
      const Matrix X(80, 40, false, density, 5);
      const auto w = check::Random(6).vector(X.rows);
      const auto left = every_other(X.columns);
      const std::vector<Index> right{1, 0, 2, 39, 38};
      const Index m = static_cast<Index>(left.size()), q = 5;
      const double* weights = weighted ? w.data() : nullptr;
      std::vector<double> chosen(m * q, 1e9), panels(m * q, 1e9), rows(m * q, 1e9);
      products::gram(X.view, left.data(), m, right.data(), q, weights, chosen.data());
      products::gram_by_panels(X.view, left.data(), m, right.data(), q, weights, panels.data());
      products::gram_by_rows(X.view, products::ByRows(X.view, left.data(), m), m, right.data(), q, weights, rows.data());
      for (Index b = 0; b < q; b++)
        for (Index a = 0; a < m; a++) {
          double s = 0;
          for (Index i = 0; i < X.rows; i++) s += X(i, left[a]) * X(i, right[b]) * (weighted ? w[i] : 1.0);
          CHECK_CLOSE(chosen[b * m + a], s, 1e-13);
          CHECK_CLOSE(panels[b * m + a], s, 1e-13);
          CHECK_CLOSE(rows[b * m + a], s, 1e-13);
        }
    }
}

TEST("gather writes the zeros out, shifted and scaled") {
  const Matrix X(30, 8, true, 0.4, 7);
  const auto shift = check::Random(8).vector(8), scale = check::Random(9).vector(30);
  const auto features = every_other(8);
  for (const bool scaled : {false, true}) {
    std::vector<double> out(30 * features.size(), 1e9);
    products::gather(X.view, features.data(), static_cast<Index>(features.size()), shift.data(), scaled ? scale.data() : nullptr, out.data());
    for (std::size_t a = 0; a < features.size(); a++)
      for (Index i = 0; i < 30; i++) CHECK_CLOSE(out[a * 30 + i], (X(i, features[a]) - shift[a]) * (scaled ? scale[i] : 1.0), 1e-15);
  }
}

TEST("deviations count the zeros that are not stored") {
  const Matrix X(25, 9, false, 0.5, 10);
  const auto center = check::Random(11).vector(9);
  auto w = check::Random(12).vector(25);
  double total = 0;
  for (double& v : w) total += v = std::fabs(v);
  for (double& v : w) v /= total;
  for (const bool weighted : {false, true}) {
    std::vector<double> first(9), second(9);
    products::deviations(X.view, weighted ? w.data() : nullptr, 1, center.data(), first.data(), second.data());
    for (Index j = 0; j < 9; j++) {
      double a = 0, b = 0;
      for (Index i = 0; i < 25; i++) {
        const double d = X(i, j) - center[j], weight = weighted ? w[i] : 1.0;
        a += weight * d;
        b += weight * d * d;
      }
      CHECK_CLOSE(first[j], a, 1e-13);
      CHECK_CLOSE(second[j], b, 1e-13);
    }
  }
}

TEST("every product has the same bits for any number of threads") {
  for (const double density : {0.03, 0.6}) {
    const Matrix X(1500, 2 * products::csc_block_columns / 8 + 5, false, density, 10);
    const Index n = X.rows, p = X.columns, k = 40;
    const auto R = check::Random(11).vector(n * k), B = check::Random(12).vector(p * k);
    std::vector<Index> all;
    for (Index j = 0; j < p; j++) all.push_back(j);
    const std::vector<Index> some(all.begin(), all.begin() + 200);
    std::vector<std::vector<double>> first;
    for (const int threads : {1, 2, 3}) {
      team::limit() = threads;
      std::vector<std::vector<double>> found;
      const auto room = [&](Index size) {
        found.emplace_back(size, 1e9);
        return found.back().data();
      };
      products::correlate(X.view, R.data(), k, room(p * k));
      products::combine(X.view, all.data(), p, B.data(), k, room(n * k));
      products::gram_by_panels(X.view, all.data(), p, some.data(), 200, R.data(), room(p * 200));
      products::gram_by_rows(X.view, products::ByRows(X.view, all.data(), p), p, some.data(), 200, R.data(), room(p * 200));
      products::gather(X.view, all.data(), p, B.data(), R.data(), room(n * p));
      if (threads == 1) first = found;
      CHECK(found == first);
    }
    team::limit() = 1;
  }
}
