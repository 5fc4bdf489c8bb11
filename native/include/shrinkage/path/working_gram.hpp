#pragma once
#include <algorithm>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"

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
// adds those of the rest, in both triangles.
inline void extend_gram(const double* Z, Index ldz, Index rows, Index old, Index size, double* G, Index ld) {
  using linalg::Int;
  using linalg::Op;
  const Int n = static_cast<Int>(rows), k = static_cast<Int>(size - old), lz = static_cast<Int>(ldz), lg = static_cast<Int>(ld);
  const double* fresh = Z + old * ldz;
  linalg::gemm(Op::transpose, Op::none, static_cast<Int>(old), k, n, 1, Z, lz, fresh, lz, 0, G + old * ld, lg);
  linalg::syrk(Op::transpose, k, n, 1, fresh, lz, 0, G + old * ld + old, lg);
  double* corner = G + old * ld + old;
  for (Index a = 0; a < size - old; a++)
    for (Index b = 0; b < a; b++) corner[b + a * ld] = corner[a + b * ld];
  transpose(G + old * ld, size - old, old, G + old, ld);
}

}  // namespace shrinkage
