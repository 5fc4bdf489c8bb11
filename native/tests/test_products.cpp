#include <memory>

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/products.hpp"

using namespace shrinkage;

namespace {

// One matrix in six clothes: by columns, by rows, strided; in double and in single precision.
struct Matrix {
  Index rows, columns;
  std::vector<double> values, laid;  // values by columns; laid as the view reads it
  std::vector<float> single;
  DenseView view;

  Matrix(Index n, Index p, int form, unsigned seed) : rows(n), columns(p), values(check::Random(seed).vector(n * p)) {
    const bool narrow = form >= 3;
    const Index row_stride = form % 3 == 0 ? 1 : form % 3 == 1 ? p + 1 : 3, column_stride = form % 3 == 0 ? n + 2 : form % 3 == 1 ? 1 : 3 * n + 1;
    laid.assign(row_stride * n + column_stride * p, 1e9);
    for (double& v : values) v = static_cast<float>(v);
    for (Index j = 0; j < p; j++)
      for (Index i = 0; i < n; i++) laid[i * row_stride + j * column_stride] = values[j * n + i];
    single.assign(laid.begin(), laid.end());
    view = DenseView{narrow ? static_cast<const void*>(single.data()) : laid.data(), narrow, n, p, row_stride, column_stride};
  }
  double operator()(Index i, Index j) const { return values[j * rows + i]; }
};

}  // namespace

TEST("X'R is the same from every layout, narrow or wide, across blocks") {
  for (int form = 0; form < 6; form++)
    for (const Index k : {Index(1), Index(3), products::crossing + 4}) {
      const Index n = 37, p = products::block_columns + 9;
      const Matrix X(n, p, form, 1);
      const auto R = check::Random(2).vector(n * k);
      std::vector<double> C(p * k, 1e9);
      products::correlate(X.view, R.data(), k, C.data());
      for (Index t = 0; t < k; t++)
        for (Index j = 0; j < p; j++) {
          double s = 0;
          for (Index i = 0; i < n; i++) s += X(i, j) * R[t * n + i];
          CHECK_CLOSE(C[t * p + j], s, 1e-13);
        }
    }
}

TEST("combine is X on the picked features times B") {
  for (int form = 0; form < 6; form++) {
    const Index n = 520, p = 140, count = 131, k = 2;
    const Matrix X(n, p, form, 3);
    const auto B = check::Random(4).vector(count * k);
    std::vector<Index> features;
    for (Index a = 0; a < count; a++) features.push_back((a * 11) % p);
    std::vector<double> out(n * k, 1e9);
    products::combine(X.view, features.data(), count, B.data(), k, out.data());
    for (Index t = 0; t < k; t++)
      for (Index i = 0; i < n; i += 13) {
        double s = 0;
        for (Index a = 0; a < count; a++) s += X(i, features[a]) * B[t * count + a];
        CHECK_CLOSE(out[t * n + i], s, 1e-12);
      }
  }
}

TEST("a Gram matrix holds the weighted products of its columns, whole where both lists are one") {
  for (int form = 0; form < 6; form++)
    for (const bool weighted : {false, true})
      for (const bool same : {false, true}) {
        const Index n = 70;
        const Matrix X(n, 9, form, 5);
        const auto w = check::Random(6).vector(n);
        const std::vector<Index> left{8, 0, 3}, other{1, 2, 3, 8};
        const std::vector<Index>& right = same ? left : other;
        const Index m = 3, q = static_cast<Index>(right.size());
        std::vector<double> out(m * q, 1e9);
        products::gram(X.view, left.data(), m, right.data(), q, weighted ? w.data() : nullptr, out.data());
        for (Index b = 0; b < q; b++)
          for (Index a = 0; a < m; a++) {
            double s = 0;
            for (Index i = 0; i < n; i++) s += X(i, left[a]) * X(i, right[b]) * (weighted ? w[i] : 1.0);
            CHECK_CLOSE(out[b * m + a], s, 1e-13);
          }
      }
}

TEST("gather shifts, scales and lays out by columns") {
  for (int form = 0; form < 6; form++)
    for (const bool scaled : {false, true}) {
      const Index n = 1030, count = 17;
      const Matrix X(n, 20, form, 7);
      const auto shift = check::Random(8).vector(count), scale = check::Random(9).vector(n);
      std::vector<Index> features;
      for (Index a = 0; a < count; a++) features.push_back(19 - a);
      std::vector<double> out(n * count, 1e9);
      products::gather(X.view, features.data(), count, shift.data(), scaled ? scale.data() : nullptr, out.data());
      for (Index a = 0; a < count; a++)
        for (Index i = 0; i < n; i += 7) CHECK_CLOSE(out[a * n + i], (X(i, features[a]) - shift[a]) * (scaled ? scale[i] : 1.0), 1e-15);
    }
}

TEST("every product has the same bits for any number of threads") {
  const Index n = 1030, p = 270, k = 26;
  for (int form = 0; form < 6; form++) {
    const Matrix X(n, p, form, 11);
    const auto R = check::Random(12).vector(n * k), shift = check::Random(13).vector(p), B = check::Random(14).vector(p * k);
    std::vector<Index> features;
    for (Index a = 0; a < p; a++) features.push_back((a * 11) % p);
    const std::vector<Index> same = features;
    const std::vector<double> l1(p, 1.0);
    const auto strengths = check::Random(15).vector(k);
    const std::unique_ptr<bool[]> inside(new bool[p]());
    std::vector<std::vector<double>> first;
    for (const int threads : {1, 2, 3}) {
      team::limit() = threads;
      std::vector<std::vector<double>> all;
      const auto room = [&](Index size) {
        all.emplace_back(size, 1e9);
        return all.back().data();
      };
      products::correlate(X.view, R.data(), k, room(p * k));
      products::correlate(X.view, R.data(), 3, room(p * 3));
      products::combine(X.view, features.data(), p, B.data(), k, room(n * k));
      products::gram(X.view, features.data(), p, features.data(), p, nullptr, room(p * p));
      products::gram(X.view, features.data(), p, same.data(), 40, R.data(), room(p * 40));
      products::gather(X.view, features.data(), p, shift.data(), R.data(), room(n * p));
      double* moments = room(2 * p * 8);
      products::deviations(X.view, R.data(), 8, B.data(), moments, moments + 8 * p);
      double* seen = room(2 * k + p);
      std::vector<int> places(p);
      products::scan(X.view, R.data(),
                     {p, 1, k, strengths.data(), l1.data(), l1.data(), inside.get(), 0.1, room(p * k), seen, seen + k, places.data(), seen + 2 * k});
      if (threads == 1) first = all;
      CHECK(all == first);
    }
    team::limit() = 1;
  }
}

TEST("a product stops between its blocks") {
  const Matrix X(400, 700, 0, 16);
  const auto R = check::Random(17).vector(400 * 30);
  std::vector<double> C(700 * 30);
  for (const int threads : {1, 2}) {
    team::limit() = threads;
    interrupt_requested = [] { return true; };
    std::this_thread::sleep_for(2 * interrupt::pause);
    bool stopped = false;
    try {
      products::correlate(X.view, R.data(), 30, C.data());
    } catch (const Interrupted&) {
      stopped = true;
    }
    CHECK(stopped);
  }
  interrupt_requested = nullptr;
  team::limit() = 1;
}
