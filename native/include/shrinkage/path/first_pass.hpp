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
  const Index blocks = (X.columns + wide - 1) / wide, chunk = std::min<Index>(n, 512);
  const bool in_place = !X.single && X.row_stride == 1;
  std::vector<double> sides(R, R + n * k);
  sides.insert(sides.end(), share, share + n);
  const std::size_t members = team::members(blocks, static_cast<double>(n) * static_cast<double>(X.columns * (k + 2)));
  struct Room {
    std::vector<double> block, scratch, first, second, panel;
  };
  std::vector<Room> rooms(members);
  team::share(members, blocks, [&](Index which, std::size_t member) {
    Room& room = rooms[member];
    const Index j = which * wide, count = std::min(wide, X.columns - j);
    room.block.resize(static_cast<std::size_t>(wide * (k + 1)));
    block_product(X, j, count, sides.data(), k + 1, room.block.data(), wide, room.scratch);
    for (Index t = 0; t < k; t++) std::copy_n(room.block.data() + t * wide, count, C + j + t * X.columns);
    double* center = room.block.data() + k * wide;
    if (!centered) std::fill(center, center + count, 0.0);
    room.first.assign(static_cast<std::size_t>(wide), 0.0);
    room.second.assign(static_cast<std::size_t>(wide), 0.0);
    if (!in_place) room.panel.resize(static_cast<std::size_t>(chunk * wide));
    for (Index i = 0; i < n; i += chunk) {
      const Index rows = std::min(chunk, n - i);
      if (!in_place) copy_panel(X, i, rows, nullptr, j, count, room.panel.data(), chunk);
      const double* x = in_place ? X.at<double>(i, j) : room.panel.data();
      kernels().deviations(x, in_place ? X.column_stride : chunk, rows, count, share + i, n, 1, center, room.first.data(), room.second.data(), wide);
    }
    for (Index a = 0; a < count; a++) squares[j + a] = centered ? std::max(room.second[a] - room.first[a] * room.first[a], 0.0) : room.second[a];
  });
}

}  // namespace products
}  // namespace shrinkage
