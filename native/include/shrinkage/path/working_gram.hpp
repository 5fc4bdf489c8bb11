#pragma once
#include <algorithm>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/products.hpp"
#include "shrinkage/team.hpp"

namespace shrinkage {

// out[a + b ld] = in[b + a ld] for a < rows, b < columns; tile by tile, so that the side read across its columns stays in cache
inline void transpose(const double* in, Index rows, Index columns, double* out, Index ld) {
  constexpr Index tile = 16;
  for (Index r = 0; r < rows; r += tile)
    for (Index c = 0; c < columns; c += tile)
      for (Index b = c; b < std::min(c + tile, columns); b++)
        for (Index a = r; a < std::min(r + tile, rows); a++) out[a + b * ld] = in[b + a * ld];
}

// G (size x size, leading dimension ld) holds the products of the first `old` columns of Z (rows x size) with each other;
// adds those of the rest, in both triangles. Some of the new columns at a time are one item.
inline void extend_gram(const double* Z, Index ldz, Index rows, Index old, Index size, double* G, Index ld) {
  using linalg::Op;
  using products::narrow;
  constexpr Index wide = 96;
  const Index tiles = (size - old + wide - 1) / wide;
  const double operations = static_cast<double>(rows) * static_cast<double>((size - old) * (size + old)) / 2;
  team::share(team::members(tiles, operations), tiles, [&](Index tile, std::size_t) {
    const Index first = old + tile * wide, k = std::min(wide, size - first);
    const double* fresh = Z + first * ldz;
    double* corner = G + first * ld + first;
    linalg::gemm(Op::transpose, Op::none, narrow(first), narrow(k), narrow(rows), 1, Z, narrow(ldz), fresh, narrow(ldz), 0, G + first * ld,
                 narrow(ld));
    linalg::syrk(Op::transpose, narrow(k), narrow(rows), 1, fresh, narrow(ldz), 0, corner, narrow(ld));
    for (Index a = 0; a < k; a++)
      for (Index b = 0; b < a; b++) corner[b + a * ld] = corner[a + b * ld];
    transpose(G + first * ld, k, first, G + first, ld);
  });
}

}  // namespace shrinkage
