#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/scan.hpp"
#include "shrinkage/team.hpp"

// The products of a dense X with a few vectors, block by block, so that X is read once, never written and never copied
// whole. Strides are in elements; all sums are float64. Blocks are the items of a team: their bounds depend on sizes
// alone. Beyond its result a product takes at most `panel_doubles` numbers for all threads, and one block's panel for each.
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

inline bool fits_blas(Index leading, Index least) {
  return leading >= least && leading <= std::numeric_limits<linalg::Int>::max();
}

inline linalg::Int narrow(Index n) {
  return static_cast<linalg::Int>(n);
}

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

inline void copy_panel(const DenseView& X, Index first_row, Index rows, const Index* features, Index first_column, Index count, double* out,
                       Index ld) {
  if (X.single)
    copy_panel<float>(X, first_row, rows, features, first_column, count, out, ld);
  else
    copy_panel<double>(X, first_row, rows, features, first_column, count, out, ld);
}

// C[j + t ldc] (+)= sum_i X[first_row + i, first + j] R[i + t ldr] for `rows` rows and `count` columns
inline void add_product(const DenseView& X, Index first_row, Index rows, Index first, Index count, const double* R, Index ldr, Index k, bool add,
                        double* C, Index ldc, std::vector<double>& scratch) {
  using linalg::Op;
  const Kernels& kernel = kernels();
  const bool wide = k > crossing && fits_blas(std::max(ldr, ldc), std::max(rows, count));
  const int m = narrow(count), beta = add;
  if (wide && !X.single && X.row_stride == 1 && fits_blas(X.column_stride, rows))
    return linalg::gemm(Op::transpose, Op::none, m, narrow(k), narrow(rows), 1, X.at<double>(first_row, first), narrow(X.column_stride), R,
                        narrow(ldr), beta, C, narrow(ldc));
  if (wide && !X.single && X.column_stride == 1 && fits_blas(X.row_stride, count))
    return linalg::gemm(Op::none, Op::none, m, narrow(k), narrow(rows), 1, X.at<double>(first_row, first), narrow(X.row_stride), R, narrow(ldr), beta,
                        C, narrow(ldc));
  for (Index t = 0; t < k && !add; t++) std::fill(C + t * ldc, C + t * ldc + count, 0.0);
  if (!wide && X.row_stride == 1) {
    if (X.single)
      kernel.dots_f32(X.at<float>(first_row, first), X.column_stride, rows, count, R, ldr, k, C, ldc);
    else
      kernel.dots(X.at<double>(first_row, first), X.column_stride, rows, count, R, ldr, k, C, ldc);
    return;
  }
  if (!wide && X.column_stride == 1) {
    if (X.single)
      kernel.row_dots_f32(X.at<float>(first_row, first), X.row_stride, rows, count, R, ldr, k, C, ldc);
    else
      kernel.row_dots(X.at<double>(first_row, first), X.row_stride, rows, count, R, ldr, k, C, ldc);
    return;
  }
  const Index chunk = std::min<Index>(rows, 256);  // a panel of a block fits the second-level cache
  scratch.resize(static_cast<std::size_t>(chunk * count));
  if (wide && X.single && X.column_stride == 1) {
    for (Index i = 0; i < rows; i += chunk) {
      const Index some = std::min(chunk, rows - i);
      for (Index l = 0; l < some; l++) {
        const float* row = X.at<float>(first_row + i + l, first);
        std::copy(row, row + count, scratch.data() + l * count);
      }
      linalg::gemm(Op::none, Op::none, m, narrow(k), narrow(some), 1, scratch.data(), m, R + i, narrow(ldr), 1, C, narrow(ldc));
    }
    return;
  }
  for (Index i = 0; i < rows; i += chunk) {
    const Index some = std::min(chunk, rows - i);
    copy_panel(X, first_row + i, some, nullptr, first, count, scratch.data(), chunk);
    if (wide)
      linalg::gemm(Op::transpose, Op::none, m, narrow(k), narrow(some), 1, scratch.data(), narrow(chunk), R + i, narrow(ldr), 1, C, narrow(ldc));
    else
      kernel.dots(scratch.data(), chunk, some, count, R + i, ldr, k, C, ldc);
  }
}

// C[j + t ldc] = (X'R)[first + j, t], interruptible
inline void block_product(const DenseView& X, Index first, Index count, const double* R, Index k, double* C, Index ldc,
                          std::vector<double>& scratch) {
  constexpr Index at_once = Index(1) << 28;  // multiply-adds, about a hundredth of a second
  const Index step = std::max<Index>(4096, at_once / std::max<Index>(1, count * k) / 4096 * 4096);
  for (Index i = 0; i < X.rows; i += step) {
    if (i > 0) check_interrupt();
    add_product(X, i, std::min(step, X.rows - i), first, count, R + i, X.rows, k, i > 0, C, ldc, scratch);
  }
}

// The product, and for each block of columns read(block, first column, count, scratch of the member)
template <class Read>
void correlate_blocks(const DenseView& X, const double* R, Index k, double* C, const Read& read) {
  const Index blocks = (X.columns + block_columns - 1) / block_columns;
  const std::size_t members = team::members(blocks, static_cast<double>(X.rows) * static_cast<double>(X.columns * k));
  std::vector<std::vector<double>> scratch(members);
  team::share(members, blocks, [&](Index block, std::size_t member) {
    const Index j = block * block_columns, count = std::min(block_columns, X.columns - j);
    block_product(X, j, count, R, k, C + j, X.columns, scratch[member]);
    read(block, j, count, scratch[member]);
  });
}

// C (columns x k) = X'R
inline void correlate(const DenseView& X, const double* R, Index k, double* C) {
  correlate_blocks(X, R, k, C, [](Index, Index, Index, std::vector<double>&) {});
}

// the same with theta, read block by block
inline void scan(const DenseView& X, const double* theta, const Scan& scan) {
  Reading reading(scan, (X.columns + block_columns - 1) / block_columns);
  correlate_blocks(X, theta, scan.fits * scan.strengths, scan.C,
                   [&](Index block, Index j, Index count, std::vector<double>& scratch) { reading.read(block, j, count, scratch); });
  reading.finish();
}

// out (rows x k) = X[:, features] B, B (count x k)
inline void combine(const DenseView& X, const Index* features, Index count, const double* B, Index k, double* out) {
  using linalg::Op;
  const Index wide = std::min<Index>(count, 128);
  const Index rows = X.rows < 2048 ? std::min<Index>(X.rows, 128) : 512, blocks = (X.rows + rows - 1) / rows;
  const std::size_t members = team::members(blocks, static_cast<double>(X.rows) * static_cast<double>(count * (k + 1)));
  std::vector<std::vector<double>> panels(members);
  team::share(members, blocks, [&](Index block, std::size_t member) {
    const Index i = block * rows, r = std::min(rows, X.rows - i);
    panels[member].resize(static_cast<std::size_t>(rows * wide));
    double* panel = panels[member].data();
    for (Index t = 0; t < k; t++) std::fill(out + i + t * X.rows, out + i + r + t * X.rows, 0.0);
    for (Index a = 0; a < count; a += wide) {
      const Index m = std::min(wide, count - a);
      check_interrupt();
      copy_panel(X, i, r, features + a, 0, m, panel, rows);
      linalg::gemm(Op::none, Op::none, narrow(r), narrow(k), narrow(m), 1, panel, narrow(rows), B + a, narrow(count), 1, out + i, narrow(X.rows));
    }
  });
}

constexpr Index panel_doubles = Index(1) << 21;  // 16 MB
constexpr Index gram_columns = 256;              // columns of a Gram matrix that are one item

// panel (ld x count): rows from first_row of the listed columns, times the rows' weights where there are any
inline void copy_shared_panel(const DenseView& X, Index first_row, Index rows, const Index* features, Index count, const double* w, double* panel,
                              Index ld) {
  constexpr Index wide = 32;
  const Index parts = (count + wide - 1) / wide;
  team::share(team::members(parts, static_cast<double>(rows) * static_cast<double>(count)), parts, [&](Index part, std::size_t) {
    const Index a = part * wide, m = std::min(wide, count - a);
    double* into = panel + a * ld;
    copy_panel(X, first_row, rows, features + a, 0, m, into, ld);
    if (!w) return;
    for (Index c = 0; c < m; c++)
      for (Index i = 0; i < rows; i++) into[c * ld + i] *= w[first_row + i];
  });
}

// out (m x q) = A'B + beta out over `rows` rows of panels with leading dimension ld; `lower`: B is A, on and below the diagonal
inline void multiply_panels(const double* A, Index m, const double* B, Index q, Index rows, Index ld, bool lower, double beta, double* out) {
  using linalg::Op;
  const Index tiles = (q + gram_columns - 1) / gram_columns;
  team::share(team::members(tiles, static_cast<double>(rows) * static_cast<double>(m * q) / (lower ? 2 : 1)), tiles, [&](Index tile, std::size_t) {
    const Index c = tile * gram_columns, wide = std::min(gram_columns, q - c), below = lower ? c + wide : 0;
    if (lower) linalg::syrk(Op::transpose, narrow(wide), narrow(rows), 1, A + c * ld, narrow(ld), beta, out + c + c * m, narrow(m));
    linalg::gemm(Op::transpose, Op::none, narrow(m - below), narrow(wide), narrow(rows), 1, A + below * ld, narrow(ld), B + c * ld, narrow(ld), beta,
                 out + below + c * m, narrow(m));
  });
}

// out[a + b |left|] = sum_i X[i, left[a]] w[i] X[i, right[b]] (w null: ones); the same list twice costs half
inline void gram(const DenseView& X, const Index* left, Index m, const Index* right, Index q, const double* w, double* out) {
  if (m == 0 || q == 0) return;
  const bool lower = left == right && m == q && !w;
  const Index rows = std::min(X.rows, std::max<Index>(64, panel_doubles / (m + q)));
  std::vector<double> a(static_cast<std::size_t>(rows * m)), b(static_cast<std::size_t>(lower ? 0 : rows * q));
  for (Index i = 0; i < X.rows; i += rows) {
    const Index r = std::min(rows, X.rows - i);
    copy_shared_panel(X, i, r, left, m, nullptr, a.data(), rows);
    if (!lower) copy_shared_panel(X, i, r, right, q, w, b.data(), rows);
    multiply_panels(a.data(), m, lower ? a.data() : b.data(), q, r, rows, lower, i > 0 ? 1 : 0, out);
  }
  if (lower)
    for (Index c = 0; c < m; c++)
      for (Index r = 0; r < c; r++) out[r + c * m] = out[c + r * m];
}

// out[i + a rows] = row_scale[i] (X[i, features[a]] - shift[a]); row_scale null: ones
inline void gather(const DenseView& X, const Index* features, Index count, const double* shift, const double* row_scale, double* out) {
  constexpr Index chunk = 1024, wide = 16;
  const Index n = X.rows, chunks = (n + chunk - 1) / chunk, items = chunks * ((count + wide - 1) / wide);
  team::share(team::members(items, static_cast<double>(n) * static_cast<double>(count)), items, [&](Index item, std::size_t) {
    const Index a = item / chunks * wide, i = item % chunks * chunk, m = std::min(wide, count - a), r = std::min(chunk, n - i);
    copy_panel(X, i, r, features + a, 0, m, out + i + a * n, n);
    for (Index c = a; c < a + m; c++) {
      double* column = out + c * n;
      for (Index l = i; l < i + r; l++) column[l] -= shift[c];
      if (row_scale)
        for (Index l = i; l < i + r; l++) column[l] *= row_scale[l];
    }
  });
}

// first, second (columns x k) = sum_i w_i d, sum_i w_i d^2 with d = x_i - center; w (rows x k), null: ones
inline void deviations(const DenseView& X, const double* w, Index k, const double* center, double* first, double* second) {
  constexpr Index wide = 32, chunk = 512;
  std::fill(first, first + X.columns * k, 0.0);
  std::fill(second, second + X.columns * k, 0.0);
  const bool in_place = !X.single && X.row_stride == 1;
  const Index blocks = (X.columns + wide - 1) / wide;
  const std::size_t members = team::members(blocks, static_cast<double>(X.rows) * static_cast<double>(X.columns * k));
  std::vector<std::vector<double>> panels(members);
  team::share(members, blocks, [&](Index block, std::size_t member) {
    const Index j = block * wide, m = std::min(wide, X.columns - j);
    panels[member].resize(static_cast<std::size_t>(in_place ? 0 : wide * chunk));
    for (Index i = 0; i < X.rows; i += chunk) {
      const Index r = std::min(chunk, X.rows - i);
      check_interrupt();
      if (!in_place) copy_panel(X, i, r, nullptr, j, m, panels[member].data(), chunk);
      const double* x = in_place ? X.at<double>(i, j) : panels[member].data();
      kernels().deviations(x, in_place ? X.column_stride : chunk, r, m, w ? w + i : nullptr, X.rows, k, center + j, first + j, second + j, X.columns);
    }
  });
}

}  // namespace products
}  // namespace shrinkage
