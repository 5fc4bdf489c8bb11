#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/scan.hpp"

// The products of a dense X with a few vectors, block of columns by block of columns, so that X is read once, never
// written and never copied whole. Strides are in elements; all sums are float64.
namespace shrinkage {

struct DenseView {
  const void* data;
  bool single;  // float32, else float64
  Index rows, columns, row_stride, column_stride;

  template <class Real>
  const Real* at(Index i, Index j) const {
    return static_cast<const Real*>(data) + i * row_stride + j * column_stride;
  }
};

namespace products {

constexpr Index block_columns = 256;  // a block's correlations stay in the second-level cache for the scan
constexpr Index crossing = 24;        // columns of R above which a packing GEMM beats the register kernel (measured)

inline bool fits_blas(Index leading, Index least) { return leading >= least && leading <= std::numeric_limits<linalg::Int>::max(); }

inline linalg::Int narrow(Index n) { return static_cast<linalg::Int>(n); }

// out[i + a ld] = X[first_row + i, features[a]] (features null: first_column + a)
template <class Real>
void copy_panel(const DenseView& X, Index first_row, Index rows, const Index* features, Index first_column, Index count, double* out, Index ld) {
  const auto column = [=](Index a) { return features ? features[a] : first_column + a; };
  if (X.column_stride == 1 && X.row_stride != 1) {
    for (Index i = 0; i < rows; i++) {
      const Real* row = X.at<Real>(first_row + i, 0);
      for (Index a = 0; a < count; a++) out[i + a * ld] = row[column(a)];
    }
    return;
  }
  for (Index a = 0; a < count; a++) {
    const Real* x = X.at<Real>(first_row, column(a));
    if (X.row_stride == 1)
      for (Index i = 0; i < rows; i++) out[i + a * ld] = x[i];
    else
      for (Index i = 0; i < rows; i++) out[i + a * ld] = x[i * X.row_stride];
  }
}

inline void copy_panel(const DenseView& X, Index first_row, Index rows, const Index* features, Index first_column, Index count, double* out, Index ld) {
  if (X.single)
    copy_panel<float>(X, first_row, rows, features, first_column, count, out, ld);
  else
    copy_panel<double>(X, first_row, rows, features, first_column, count, out, ld);
}

// C[j + t ldc] = sum_i X[i, first + j] R[i + t ldr]
inline void block_product(const DenseView& X, Index first, Index count, const double* R, Index ldr, Index k, double* C, Index ldc,
                          std::vector<double>& scratch) {
  using linalg::Op;
  const Kernels& kernel = kernels();
  const Index n = X.rows;
  const bool wide = k > crossing && fits_blas(std::max(ldr, ldc), std::max(n, count));
  const int m = narrow(count);
  if (wide && !X.single && X.row_stride == 1 && fits_blas(X.column_stride, n)) {
    linalg::gemm(Op::transpose, Op::none, m, narrow(k), narrow(n), 1, X.at<double>(0, first), narrow(X.column_stride), R, narrow(ldr), 0, C, narrow(ldc));
    return;
  }
  if (wide && !X.single && X.column_stride == 1 && fits_blas(X.row_stride, count)) {
    linalg::gemm(Op::none, Op::none, m, narrow(k), narrow(n), 1, X.at<double>(0, first), narrow(X.row_stride), R, narrow(ldr), 0, C, narrow(ldc));
    return;
  }
  for (Index t = 0; t < k; t++) std::fill(C + t * ldc, C + t * ldc + count, 0.0);
  if (!wide && X.row_stride == 1) {
    if (X.single)
      kernel.dots_f32(X.at<float>(0, first), X.column_stride, n, count, R, ldr, k, C, ldc);
    else
      kernel.dots(X.at<double>(0, first), X.column_stride, n, count, R, ldr, k, C, ldc);
    return;
  }
  if (!wide && X.column_stride == 1) {
    if (X.single)
      kernel.row_dots_f32(X.at<float>(0, first), X.row_stride, n, count, R, ldr, k, C, ldc);
    else
      kernel.row_dots(X.at<double>(0, first), X.row_stride, n, count, R, ldr, k, C, ldc);
    return;
  }
  const Index chunk = std::min<Index>(n, 512);
  scratch.resize(static_cast<std::size_t>(chunk * count));
  for (Index i = 0; i < n; i += chunk) {
    const Index rows = std::min(chunk, n - i);
    copy_panel(X, i, rows, nullptr, first, count, scratch.data(), chunk);
    if (wide)
      linalg::gemm(Op::transpose, Op::none, m, narrow(k), narrow(rows), 1, scratch.data(), narrow(chunk), R + i, narrow(ldr), 1, C, narrow(ldc));
    else
      kernel.dots(scratch.data(), chunk, rows, count, R + i, ldr, k, C, ldc);
  }
}

// C (columns x k) = X'R
inline void correlate(const DenseView& X, const double* R, Index k, double* C) {
  std::vector<double> scratch;
  for (Index j = 0; j < X.columns; j += block_columns)
    block_product(X, j, std::min(block_columns, X.columns - j), R, X.rows, k, C + j, X.columns, scratch);
}

// the same with theta, read block by block
inline void scan(const DenseView& X, const double* theta, const Scan& reading) {
  std::vector<double> scratch, weights;
  begin_scan(reading);
  for (Index j = 0; j < X.columns; j += block_columns) {
    const Index count = std::min(block_columns, X.columns - j);
    block_product(X, j, count, theta, X.rows, reading.fits * reading.strengths, reading.C + j, X.columns, scratch);
    scan_block(reading, j, count, weights);
  }
}

// out (rows x k) = X[:, features] B, B (count x k)
inline void combine(const DenseView& X, const Index* features, Index count, const double* B, Index k, double* out) {
  using linalg::Op;
  std::fill(out, out + X.rows * k, 0.0);
  const Index rows = std::min<Index>(X.rows, 512), wide = std::min<Index>(count, 128);
  std::vector<double> panel(static_cast<std::size_t>(rows * wide));
  for (Index i = 0; i < X.rows; i += rows)
    for (Index a = 0; a < count; a += wide) {
      const Index r = std::min(rows, X.rows - i), m = std::min(wide, count - a);
      copy_panel(X, i, r, features + a, 0, m, panel.data(), rows);
      linalg::gemm(Op::none, Op::none, narrow(r), narrow(k), narrow(m), 1, panel.data(), narrow(rows), B + a, narrow(count), 1, out + i, narrow(X.rows));
    }
}

// out[a + b |left|] = sum_i X[i, left[a]] w[i] X[i, right[b]] (w null: ones); the same list twice costs half
inline void gram(const DenseView& X, const Index* left, Index m, const Index* right, Index q, const double* w, double* out) {
  using linalg::Op;
  if (m == 0 || q == 0) return;
  constexpr Index budget = Index(1) << 21;  // doubles of panel: 16 MB
  const Index rows = std::min(X.rows, std::max<Index>(64, budget / (m + q)));
  const bool same = left == right && m == q;
  const bool reuse = same && !w;
  std::vector<double> a(static_cast<std::size_t>(rows * m)), b(static_cast<std::size_t>(reuse ? 0 : rows * q));
  for (Index i = 0; i < X.rows; i += rows) {
    const Index r = std::min(rows, X.rows - i);
    const double beta = i > 0 ? 1 : 0;
    copy_panel(X, i, r, left, 0, m, a.data(), rows);
    if (reuse) {
      linalg::syrk(Op::transpose, narrow(m), narrow(r), 1, a.data(), narrow(rows), beta, out, narrow(m));
      continue;
    }
    copy_panel(X, i, r, right, 0, q, b.data(), rows);
    if (w)
      for (Index c = 0; c < q; c++)
        for (Index l = 0; l < r; l++) b[c * rows + l] *= w[i + l];
    linalg::gemm(Op::transpose, Op::none, narrow(m), narrow(q), narrow(r), 1, a.data(), narrow(rows), b.data(), narrow(rows), beta, out, narrow(m));
  }
  if (reuse)
    for (Index c = 0; c < m; c++)
      for (Index r = 0; r < c; r++) out[r + c * m] = out[c + r * m];
}

// out[i + a rows] = row_scale[i] (X[i, features[a]] - shift[a]); row_scale null: ones
inline void gather(const DenseView& X, const Index* features, Index count, const double* shift, const double* row_scale, double* out) {
  const Index n = X.rows;
  constexpr Index chunk = 1024;
  for (Index a = 0; a < count; a += 16)
    for (Index i = 0; i < n; i += chunk) {
      const Index m = std::min<Index>(16, count - a), r = std::min(chunk, n - i);
      copy_panel(X, i, r, features + a, 0, m, out + i + a * n, n);
      for (Index c = a; c < a + m; c++) {
        double* column = out + c * n;
        for (Index l = i; l < i + r; l++) column[l] -= shift[c];
        if (row_scale)
          for (Index l = i; l < i + r; l++) column[l] *= row_scale[l];
      }
    }
}

// first, second (columns x k) = sum_i w_i d, sum_i w_i d^2 with d = x_i - center; w (rows x k), null: ones
inline void deviations(const DenseView& X, const double* w, Index k, const double* center, double* first, double* second) {
  constexpr Index wide = 32, chunk = 512;
  std::fill(first, first + X.columns * k, 0.0);
  std::fill(second, second + X.columns * k, 0.0);
  const bool in_place = !X.single && X.row_stride == 1;
  std::vector<double> panel(static_cast<std::size_t>(in_place ? 0 : wide * chunk));
  for (Index j = 0; j < X.columns; j += wide)
    for (Index i = 0; i < X.rows; i += chunk) {
      const Index m = std::min(wide, X.columns - j), r = std::min(chunk, X.rows - i);
      if (!in_place) copy_panel(X, i, r, nullptr, j, m, panel.data(), chunk);
      const double* x = in_place ? X.at<double>(i, j) : panel.data();
      kernels().deviations(x, in_place ? X.column_stride : chunk, r, m, w ? w + i : nullptr, X.rows, k, center + j, first + j, second + j, X.columns);
    }
}

}  // namespace products
}  // namespace shrinkage
