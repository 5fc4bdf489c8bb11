#pragma once
#include <algorithm>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/scan.hpp"

// The products of a matrix stored as compressed columns. Rows within a column may come in any order but only once;
// explicit zeros are allowed.
namespace shrinkage {

struct CscView {
  const Index* indptr;
  const int* indices;
  const void* data;
  bool single;  // float32, else float64
  Index rows, columns;

  Index stored(Index j) const { return indptr[j + 1] - indptr[j]; }

  template <class Real>
  CscColumns<Real> some(const Index* features, Index first, Index count) const {
    return {indptr, indices, static_cast<const Real*>(data), features, first, count};
  }

  double value(Index k) const { return single ? static_cast<const float*>(data)[k] : static_cast<const double*>(data)[k]; }
};

namespace products {

constexpr Index csc_block_columns = 2048;  // wide enough that a panel, evicted by the next, is worth reading again

// Right-hand sides that share a panel: as many as keep the panel within the second-level cache, at least a cache line
inline int panel_width(Index rows, Index k) {
  int width = 1;
  while (width < k && width < 8) width *= 2;
  while (width < k && width < 32 && rows * width * 2 * 8 <= (1 << 19)) width *= 2;
  return width;
}

// panel[i width + t] = R[i + t rows], zero from column `used` on
inline void pack(const double* R, Index rows, int width, int used, double* panel) {
  for (Index i = 0; i < rows; i++)
    for (int t = 0; t < width; t++) panel[i * width + t] = t < used ? R[i + t * rows] : 0.0;
}

inline void csc_dots(const CscView& X, const Index* features, Index first, Index count, const double* panel, int width, int used, double* C,
                     Index across, Index down) {
  if (X.single)
    kernels().csc_dots_f32(X.some<float>(features, first, count), panel, width, used, C, across, down);
  else
    kernels().csc_dots(X.some<double>(features, first, count), panel, width, used, C, across, down);
}

// R (rows x k) as row-major panels of equal width
struct Panels {
  Index rows, k;
  int width;
  std::vector<double> values;

  Panels(const double* R, Index n, Index count) : rows(n), k(count), width(panel_width(n, count)) {
    values.resize(static_cast<std::size_t>((k + width - 1) / width * width * rows));
    for (Index t = 0; t < k; t += width) pack(R + t * rows, rows, width, used(t), values.data() + t * rows);
  }
  int used(Index t) const { return static_cast<int>(std::min<Index>(width, k - t)); }
};

// C[j - first + t ldc] = (X'R)[j, t] for `count` columns from `first`
inline void block_product(const CscView& X, Index first, Index count, const Panels& R, double* C, Index ldc) {
  for (Index t = 0; t < R.k; t += R.width)
    csc_dots(X, nullptr, first, count, R.values.data() + t * R.rows, R.width, R.used(t), C + t * ldc, 1, ldc);
}

inline void correlate(const CscView& X, const double* R, Index k, double* C) {
  const Panels panels(R, X.rows, k);
  for (Index j = 0; j < X.columns; j += csc_block_columns) block_product(X, j, std::min(csc_block_columns, X.columns - j), panels, C + j, X.columns);
}

inline void scan(const CscView& X, const double* theta, const Scan& reading) {
  const Panels panels(theta, X.rows, reading.fits * reading.strengths);
  std::vector<double> weights;
  begin_scan(reading);
  for (Index j = 0; j < X.columns; j += csc_block_columns) {
    const Index count = std::min(csc_block_columns, X.columns - j);
    block_product(X, j, count, panels, reading.C + j, X.columns);
    scan_block(reading, j, count, weights);
  }
}

// out (rows x k) = X[:, features] B, B (count x k)
inline void combine(const CscView& X, const Index* features, Index count, const double* B, Index k, double* out) {
  const int width = panel_width(X.rows, k);
  std::vector<double> panel(static_cast<std::size_t>(X.rows * width));
  for (Index t = 0; t < k; t += width) {
    const int used = static_cast<int>(std::min<Index>(width, k - t));
    std::fill(panel.begin(), panel.end(), 0.0);
    if (X.single)
      kernels().csc_spread_f32(X.some<float>(features, 0, count), B + t * count, count, width, used, panel.data());
    else
      kernels().csc_spread(X.some<double>(features, 0, count), B + t * count, count, width, used, panel.data());
    for (Index i = 0; i < X.rows; i++)
      for (int u = 0; u < used; u++) out[i + (t + u) * X.rows] = panel[i * width + u];
  }
}

// out[a across + b down] = sum_i X[i, dense[a]] w[i] X[i, listed[b]]: a few columns at a time are spread out over a panel.
// The same list twice: only b >= a is sure to be written.
inline void gram_from(const CscView& X, const Index* dense, Index m, const Index* listed, Index q, const double* w, double* out, Index across,
                      Index down) {
  const bool same = dense == listed && m == q;
  const int width = panel_width(X.rows, m);
  std::vector<double> panel(static_cast<std::size_t>(X.rows * width), 0.0);
  for (Index a = 0; a < m; a += width) {
    const int used = static_cast<int>(std::min<Index>(width, m - a));
    for (int u = 0; u < used; u++)
      for (Index k = X.indptr[dense[a + u]]; k < X.indptr[dense[a + u] + 1]; k++)
        panel[Index(X.indices[k]) * width + u] = w ? w[X.indices[k]] * X.value(k) : X.value(k);
    const Index b = same ? a : 0;
    csc_dots(X, listed + b, 0, q - b, panel.data(), width, used, out + a * across + b * down, down, across);
    for (int u = 0; u < used; u++)
      for (Index k = X.indptr[dense[a + u]]; k < X.indptr[dense[a + u] + 1]; k++) panel[Index(X.indices[k]) * width + u] = 0;
  }
}

// out[a + b m] = sum_i X[i, left[a]] w[i] X[i, right[b]] (w null: ones); the same list twice costs half
inline void gram(const CscView& X, const Index* left, Index m, const Index* right, Index q, const double* w, double* out) {
  if (m == 0 || q == 0) return;
  if (m <= q)
    gram_from(X, left, m, right, q, w, out, 1, m);
  else
    gram_from(X, right, q, left, m, w, out, m, 1);
  if (left == right && m == q)
    for (Index b = 0; b < m; b++)
      for (Index a = b + 1; a < m; a++) out[a + b * m] = out[b + a * m];
}

// out[i + a rows] = row_scale[i] (X[i, features[a]] - shift[a]), zeros written out; row_scale null: ones
inline void gather(const CscView& X, const Index* features, Index count, const double* shift, const double* row_scale, double* out) {
  for (Index a = 0; a < count; a++) {
    double* column = out + a * X.rows;
    if (row_scale)
      for (Index i = 0; i < X.rows; i++) column[i] = -shift[a] * row_scale[i];
    else
      std::fill(column, column + X.rows, -shift[a]);
    for (Index k = X.indptr[features[a]]; k < X.indptr[features[a] + 1]; k++) {
      const int i = X.indices[k];
      column[i] = (X.value(k) - shift[a]) * (row_scale ? row_scale[i] : 1.0);
    }
  }
}

// first, second (columns x k) = sum_i w_i d, sum_i w_i d^2 with d = x_i - center, over all rows, the zeros included;
// w (rows x k) with columns that sum to 1, null: ones
inline void deviations(const CscView& X, const double* w, Index k, const double* center, double* first, double* second) {
  constexpr double epsilon = 2.220446049250313e-16;
  for (Index t = 0; t < k; t++)
    for (Index j = 0; j < X.columns; j++) {
      const double c = center[j + t * X.columns];
      double s = 0, q = 0, mass = 0;
      for (Index e = X.indptr[j]; e < X.indptr[j + 1]; e++) {
        const double weight = w ? w[X.indices[e] + t * X.rows] : 1.0, d = X.value(e) - c;
        s += weight * d;
        q += weight * d * d;
        mass += weight;
      }
      double absent = w ? 1.0 - mass : static_cast<double>(X.rows - X.stored(j));
      // what is left after summing up to all rows' weights is rounding, not the weight of a zero
      if (X.stored(j) == X.rows || absent <= static_cast<double>(X.rows) * epsilon) absent = 0;
      first[j + t * X.columns] = s - absent * c;
      second[j + t * X.columns] = q + absent * c * c;
    }
}

}  // namespace products
}  // namespace shrinkage
