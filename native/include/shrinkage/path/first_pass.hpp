#pragma once
#include <algorithm>
#include <vector>

#include "shrinkage/products.hpp"

namespace shrinkage {
namespace products {

// One reading of X: C (columns x k) = X'R, and squares[j] = sum_i share_i (x_ij - m_j)^2 with m_j = sum_i share_i x_ij, or 0
// if not centered. Shares sum to 1. Few columns at a time, so that they are in cache for the second sum.
inline void first_pass(const DenseView& X, const double* R, Index k, const double* share, bool centered, double* C, double* squares) {
  const Index n = X.rows, wide = std::clamp<Index>((Index(1) << 16) / std::max<Index>(n, 1) / 8 * 8, 8, block_columns);
  std::vector<double> sides(R, R + n * k), block(static_cast<std::size_t>(wide * (k + 1))), scratch, first(static_cast<std::size_t>(wide)),
      second(static_cast<std::size_t>(wide)), panel;
  sides.insert(sides.end(), share, share + n);
  const bool in_place = !X.single && X.row_stride == 1;
  const Index chunk = std::min<Index>(n, 512);
  if (!in_place) panel.resize(static_cast<std::size_t>(chunk * wide));
  for (Index j = 0; j < X.columns; j += wide) {
    const Index count = std::min(wide, X.columns - j);
    block_product(X, j, count, sides.data(), n, k + 1, block.data(), wide, scratch);
    for (Index t = 0; t < k; t++) std::copy_n(block.data() + t * wide, count, C + j + t * X.columns);
    double* center = block.data() + k * wide;
    if (!centered) std::fill(center, center + count, 0.0);
    std::fill(first.begin(), first.end(), 0.0);
    std::fill(second.begin(), second.end(), 0.0);
    for (Index i = 0; i < n; i += chunk) {
      const Index rows = std::min(chunk, n - i);
      if (!in_place) copy_panel(X, i, rows, nullptr, j, count, panel.data(), chunk);
      const double* x = in_place ? X.at<double>(i, j) : panel.data();
      kernels().deviations(x, in_place ? X.column_stride : chunk, rows, count, share + i, n, 1, center, first.data(), second.data(), wide);
    }
    for (Index a = 0; a < count; a++) squares[j + a] = centered ? std::max(second[a] - first[a] * first[a], 0.0) : second[a];
  }
}

}  // namespace products
}  // namespace shrinkage
