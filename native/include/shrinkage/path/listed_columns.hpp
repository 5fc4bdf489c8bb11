#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/team.hpp"

// What a path does with a few columns of a column-major matrix at a time.
namespace shrinkage {

// Asks for the first cache lines of a column; the hardware follows from there.
template <class Real>
void fetch(const Real* column, Index rows) {
#if defined(__GNUC__) || defined(__clang__)
  constexpr Index line = 64 / sizeof(Real), most = 32 * line;
  for (Index i = 0; i < std::min(rows, most); i += line) __builtin_prefetch(column + i);
#else
  (void)column, (void)rows;
#endif
}

// C (count x k) = X[:, features]'R, where X lies
template <class Real, class Feature>
void listed_products(const Real* X, Index ldx, Index rows, const Feature* features, Index count, const double* R, Index k, double* C) {
  constexpr Index wide = 64;
  const Index blocks = (count + wide - 1) / wide;
  std::fill(C, C + count * k, 0.0);
  const double operations = static_cast<double>(rows) * static_cast<double>(count * k);
  team::share(team::members(blocks, operations), blocks, [&](Index block, std::size_t) {
    for (Index a = block * wide; a < std::min(count, (block + 1) * wide); a++) {
      const Real* x = X + features[a] * ldx;
      if (a + 1 < count) fetch(X + features[a + 1] * ldx, rows);
      if constexpr (sizeof(Real) == sizeof(double))
        kernels().dots(x, ldx, rows, 1, R, rows, k, C + a, count);
      else
        kernels().dots_f32(x, ldx, rows, 1, R, rows, k, C + a, count);
    }
  });
}

// out (count x places, column-major) = X[rows, places] of a column-major X
inline void pick_block(const double* X, Index ldx, const std::int64_t* rows, Index count, const std::int64_t* places, Index columns, double* out) {
  for (Index a = 0; a < columns; a++) {
    const double* x = X + places[a] * ldx;
    if (a + 1 < columns) fetch(X + places[a + 1] * ldx, ldx);
    for (Index i = 0; i < count; i++) out[i + a * count] = x[rows[i]];
  }
}

// Takes what `count` columns of Z (rows x count, leading dimension ld) have along U (rows x q) off them: coefficients are
// explain' z with explain (rows x q), and are added to `removed` (q x count). Twice, for a large one leaves rounding behind.
inline void project(double* Z, Index ld, Index rows, Index count, const double* U, const double* explain, Index q, double* removed) {
  constexpr Index wide = 16;
  const Index blocks = (count + wide - 1) / wide;
  team::share(team::members(blocks, 4.0 * static_cast<double>(rows) * static_cast<double>(count * q)), blocks, [&](Index block, std::size_t) {
    std::vector<double> found(static_cast<std::size_t>(q));
    for (Index a = block * wide; a < std::min(count, (block + 1) * wide); a++) {
      double* z = Z + a * ld;
      for (int again = 0; again < 2; again++) {
        std::fill(found.begin(), found.end(), 0.0);
        kernels().dots(z, ld, rows, 1, explain, rows, q, found.data(), 1);
        for (Index t = 0; t < q; t++) {
          const double some = found[t], *u = U + t * rows;
          for (Index i = 0; i < rows; i++) z[i] -= u[i] * some;
          removed[t + a * q] += some;
        }
      }
    }
  });
}

}  // namespace shrinkage
