#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// X'R for a narrow R, without packing: a tile of columns of X against a few columns of R stays in registers while the
// rows stream by. Above about 24 columns of R a packing GEMM wins (measured), so the caller switches there.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_rights = 5;  // 4 x 5 sums, 5 right-hand sides and a column fit 32 registers
#else
constexpr int tile_rights = 3;  // 16 registers
#endif

template <int A, int B, class Real>
inline void add_rows(Vec (&sums)[A][B], const Real* X, Index ldx, const Vec (&r)[B]) {
  SHRINKAGE_UNROLL
  for (int a = 0; a < A; a++) {
    const Vec x = load(X + a * ldx);
    SHRINKAGE_UNROLL
    for (int b = 0; b < B; b++) sums[a][b] += x * r[b];
  }
}

// C[a + b ldc] += sum_i X[i + a ldx] R[i + b ldr] for A columns of X and B columns of R; rows >= lanes.
// ahead: columns of the tile that comes next, fetched meanwhile so that arithmetic hides the reading of X
template <int A, int B, class Real>
void tile(const Real* X, Index ldx, const double* R, Index ldr, Index rows, double* C, Index ldc, const Real* ahead, Index fetched) {
  Vec sums[A][B], r[B];
  SHRINKAGE_UNROLL
  for (int a = 0; a < A; a++)
    SHRINKAGE_UNROLL
    for (int b = 0; b < B; b++) sums[a][b] = Vec{};
  Index i = 0;
  for (; i + lanes <= rows; i += lanes) {
    for (int b = 0; b < B; b++) r[b] = load(R + i + b * ldr);
    add_rows<A, B>(sums, X + i, ldx, r);
    for (Index a = 0; a < fetched; a++) fetch(ahead + i + a * ldx);
  }
  if (i < rows) {  // the last full vector, with the lanes that are already summed masked out of R
    for (int b = 0; b < B; b++) r[b] = last_lanes(load(R + rows - lanes + b * ldr), static_cast<int>(rows - i));
    add_rows<A, B>(sums, X + rows - lanes, ldx, r);
  }
  SHRINKAGE_UNROLL
  for (int b = 0; b < B; b++)
    SHRINKAGE_UNROLL
    for (int a = 0; a < A; a++) C[a + b * ldc] += sum(sums[a][b]);
}

// the same for fewer rows than a vector has lanes
template <class Real>
void few_rows(const Real* X, Index ldx, Index columns, const double* R, Index ldr, Index k, Index rows, double* C, Index ldc) {
  for (Index t = 0; t < k; t++)
    for (Index j = 0; j < columns; j++)
      for (Index i = 0; i < rows; i++) C[j + t * ldc] += X[i + j * ldx] * R[i + t * ldr];
}

template <int A, class Real>
void tile_row(const Real* X, Index ldx, const double* R, Index ldr, Index k, Index rows, double* C, Index ldc, const Real* ahead) {
  const Index all = (k + tile_rights - 1) / tile_rights;
  for (Index t = 0, groups = all; t < k; groups--) {
    const Index width = (k - t + groups - 1) / groups;  // groups of nearly equal width
    const double* r = R + t * ldr;
    double* c = C + t * ldc;
    const Index from = ahead ? A * (all - groups) / all : 0, to = ahead ? A * (all - groups + 1) / all : 0;
    const Real* next = ahead + from * ldx;
    switch (width) {
#if defined(__AVX512F__) || defined(__aarch64__)
      case 5: tile<A, 5>(X, ldx, r, ldr, rows, c, ldc, next, to - from); break;
      case 4: tile<A, 4>(X, ldx, r, ldr, rows, c, ldc, next, to - from); break;
#endif
      case 3: tile<A, 3>(X, ldx, r, ldr, rows, c, ldc, next, to - from); break;
      case 2: tile<A, 2>(X, ldx, r, ldr, rows, c, ldc, next, to - from); break;
      default: tile<A, 1>(X, ldx, r, ldr, rows, c, ldc, next, to - from); break;
    }
    t += width;
  }
}

template <class Real>
void column_dots(const Real* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  constexpr Index cached = 32 * 1024;  // doubles of R that stay in the second-level cache
  Index chunk = cached / (k > 0 ? k : 1) / 8 * 8;
  if (chunk < 256) chunk = 256;
  for (Index i = 0; i < rows; i += chunk) {
    const Index count = rows - i < chunk ? rows - i : chunk;
    if (count < lanes) {
      few_rows(X + i, ldx, columns, R + i, ldr, k, count, C, ldc);
      return;
    }
    const Real* x = X + i;
    Index j = 0;
    for (; j + 4 <= columns; j += 4) {
      const Real* ahead = j + 8 <= columns ? x + (j + 4) * ldx : nullptr;
      tile_row<4>(x + j * ldx, ldx, R + i, ldr, k, count, C + j, ldc, ahead);
    }
    for (; j < columns; j++) tile_row<1, Real>(x + j * ldx, ldx, R + i, ldr, k, count, C + j, ldc, nullptr);
  }
}

void dots(const double* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  column_dots(X, ldx, rows, columns, R, ldr, k, C, ldc);
}

void dots_f32(const float* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  column_dots(X, ldx, rows, columns, R, ldr, k, C, ldc);
}

// C[j + t ldc] += sum_i X[i ldx + j] R[i + t ldr]: a few rows at a time, kept in registers for every column of R
template <class Real>
void streamed_rows(const Real* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  constexpr int deep = 8;
  Index i = 0;
  for (; i + deep <= rows; i += deep) {
    Index j = 0;
    for (; j + lanes <= columns; j += lanes) {
      Vec x[deep];
      for (int d = 0; d < deep; d++) x[d] = load(X + (i + d) * ldx + j);
      for (Index t = 0; t < k; t++) {
        const double* r = R + i + t * ldr;
        Vec c = load(C + j + t * ldc);
        for (int d = 0; d < deep; d++) c += x[d] * r[d];
        store(C + j + t * ldc, c);
      }
    }
    for (; j < columns; j++)
      for (Index t = 0; t < k; t++) {
        double c = 0;
        for (int d = 0; d < deep; d++) c += X[(i + d) * ldx + j] * R[i + d + t * ldr];
        C[j + t * ldc] += c;
      }
  }
  for (; i < rows; i++)
    for (Index t = 0; t < k; t++) {
      const double r = R[i + t * ldr];
      for (Index j = 0; j < columns; j++) C[j + t * ldc] += X[i * ldx + j] * r;
    }
}

void row_dots(const double* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  streamed_rows(X, ldx, rows, columns, R, ldr, k, C, ldc);
}

void row_dots_f32(const float* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc) {
  streamed_rows(X, ldx, rows, columns, R, ldr, k, C, ldc);
}

// Second moments about a given center: with d = X[i + j ldx] - center[j + t p],
// first[j + t p] += sum_i w[i + t ldw] d and second[j + t p] += sum_i w[i + t ldw] d^2; w null means ones.
void deviations(const double* X, Index ldx, Index rows, Index columns, const double* w, Index ldw, Index k, const double* center, double* first,
                double* second, Index p) {
  for (Index j = 0; j < columns; j++) {
    const double* x = X + j * ldx;
    for (Index t = 0; t < k; t++) {
      const double c = center[j + t * p];
      double s = 0, q = 0;
      if (w) {
        const double* v = w + t * ldw;
        for (Index i = 0; i < rows; i++) {
          const double d = x[i] - c, vd = v[i] * d;
          s += vd;
          q += vd * d;
        }
      } else {
        for (Index i = 0; i < rows; i++) {
          const double d = x[i] - c;
          s += d;
          q += d * d;
        }
      }
      first[j + t * p] += s;
      second[j + t * p] += q;
    }
  }
}

}  // namespace

void fill_products(Kernels& table) {
  table.dots = dots;
  table.dots_f32 = dots_f32;
  table.row_dots = row_dots;
  table.row_dots_f32 = row_dots_f32;
  table.deviations = deviations;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
