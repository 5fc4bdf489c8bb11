#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// D'D for a panel of rows D, its columns packed in groups of three vectors: a tile of 3 vectors by `across` columns of the
// sum stays in registers while the rows stream by. Only tiles that reach the diagonal or lie below it: half of a product.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

constexpr int down = 3 * lanes;
#if defined(__AVX512F__)
constexpr int across = 8;  // 24 sums, 3 vectors of D and a number of it fit 32 registers
#elif defined(__aarch64__)
constexpr int across = 6;
#elif defined(__AVX2__)
constexpr int across = 4;  // 16 registers
#else
constexpr int across = 3;
#endif
static_assert(down % across == 0, "the columns of a tile lie in one group");

// sums[b] = sum_i left[i, :] right[i, b], of the first `vectors` vectors of the left group
template <int vectors>
inline void multiply(const double* left, const double* right, Index rows, Vec (&sums)[across][vectors]) {
  SHRINKAGE_UNROLL
  for (int b = 0; b < across; b++) SHRINKAGE_UNROLL
  for (int v = 0; v < vectors; v++) sums[b][v] = Vec{};
  for (Index i = 0; i < rows; i++) {
    Vec a[vectors];
    SHRINKAGE_UNROLL
    for (int v = 0; v < vectors; v++) a[v] = load(left + v * lanes);
    SHRINKAGE_UNROLL
    for (int b = 0; b < across; b++) {
      const Vec r = splat(right[b]);
      SHRINKAGE_UNROLL
      for (int v = 0; v < vectors; v++) sums[b][v] += a[v] * r;
    }
    left += down;
    right += down;
  }
}

inline void add_tile(const double* left, const double* right, Index rows, double* C, Index ldc) {
  Vec sums[across][3];
  for (int b = 0; b < across; b++)
    for (int v = 0; v < 3; v++) fetch(C + b * ldc + v * lanes);
  multiply<3>(left, right, rows, sums);
  SHRINKAGE_UNROLL
  for (int b = 0; b < across; b++) SHRINKAGE_UNROLL
  for (int v = 0; v < 3; v++) store(C + b * ldc + v * lanes, load(C + b * ldc + v * lanes) + sums[b][v]);
}

// the same at an edge, where the sum has only `height` rows and `width` columns left
template <int vectors>
void add_part(const double* left, const double* right, Index rows, double* C, Index ldc, Index height, Index width) {
  Vec sums[across][vectors];
  double part[across * vectors * lanes];
  multiply<vectors>(left, right, rows, sums);
  SHRINKAGE_UNROLL
  for (int b = 0; b < across; b++) SHRINKAGE_UNROLL
  for (int v = 0; v < vectors; v++) store(part + (b * vectors + v) * lanes, sums[b][v]);
  for (Index b = 0; b < width; b++)
    for (Index a = 0; a < height; a++) C[b * ldc + a] += part[b * vectors * lanes + a];
}

void add_squares(const double* packed, Index rows, Index size, double* C) {
  for (Index j = 0; j < size; j += across) {
    const double* right = packed + j / down * down * rows + j % down;
    const Index width = size - j < across ? size - j : across;
    for (Index i = j / down * down; i < size; i += down) {
      const double* left = packed + i * rows;
      const Index height = size - i < down ? size - i : down;
      double* into = C + i + j * size;
      if (height == down && width == across)
        add_tile(left, right, rows, into, size);
      else if (height <= lanes)
        add_part<1>(left, right, rows, into, size, height, width);
      else
        add_part<3>(left, right, rows, into, size, height, width);
    }
  }
}

// row i of a group: root[i] (row - sum_k free[i, k] removed[k])
void settle_rows(double* group, Index rows, const double* free, Index k, const double* removed, Index stride, const double* root) {
  for (Index i = 0; i < rows; i++, group += down) {
    Vec d[3];
    SHRINKAGE_UNROLL
    for (int v = 0; v < 3; v++) d[v] = load(group + v * lanes);
    for (Index c = 0; c < k; c++) {
      const Vec share = splat(free[i * k + c]);
      SHRINKAGE_UNROLL
      for (int v = 0; v < 3; v++) d[v] -= share * load(removed + c * stride + v * lanes);
    }
    const Vec factor = splat(root[i]);
    SHRINKAGE_UNROLL
    for (int v = 0; v < 3; v++) store(group + v * lanes, d[v] * factor);
  }
}

}  // namespace

void fill_moments(Kernels& table) {
  table.group = down;
  table.add_squares = add_squares;
  table.settle_rows = settle_rows;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
