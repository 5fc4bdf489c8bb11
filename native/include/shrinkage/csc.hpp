#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/scan.hpp"
#include "shrinkage/team.hpp"

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

// Zeros that begin at a cache line: a row of a panel is then one line, not parts of two
class Aligned {
  std::vector<double> room;
  double* begin;

 public:
  explicit Aligned(Index size) : room(static_cast<std::size_t>(size) + 8) {
    const auto address = reinterpret_cast<std::uintptr_t>(room.data());
    begin = room.data() + ((64 - address % 64) % 64) / sizeof(double);
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  double* data() const { return begin; }
};

// R (rows x k) as row-major panels of equal width
struct Panels {
  Index rows, k;
  int width;
  Aligned values;

  Panels(const double* R, Index n, Index count) : rows(n), k(count), width(panel_width(n, count)), values((count + width - 1) / width * width * n) {
    for (Index t = 0; t < k; t += width) pack(R + t * rows, rows, width, used(t), values.data() + t * rows);
  }
  int used(Index t) const { return static_cast<int>(std::min<Index>(width, k - t)); }
};

// C[j - first + t ldc] = (X'R)[j, t] for `count` columns from `first`
inline void block_product(const CscView& X, Index first, Index count, const Panels& R, double* C, Index ldc) {
  for (Index t = 0; t < R.k; t += R.width) csc_dots(X, nullptr, first, count, R.values.data() + t * R.rows, R.width, R.used(t), C + t * ldc, 1, ldc);
}

// The product, and for each block of columns read(block, first column, count, scratch of the member)
template <class Read>
void correlate_blocks(const CscView& X, const double* R, Index k, double* C, const Read& read) {
  const Panels panels(R, X.rows, k);
  const Index blocks = (X.columns + csc_block_columns - 1) / csc_block_columns;
  const double stored = static_cast<double>(X.indptr[X.columns]);
  const std::size_t members = team::members(blocks, 4 * stored * static_cast<double>(k));  // irregular accesses cost more
  std::vector<std::vector<double>> scratch(members);
  team::share(members, blocks, [&](Index block, std::size_t member) {
    const Index j = block * csc_block_columns, count = std::min(csc_block_columns, X.columns - j);
    block_product(X, j, count, panels, C + j, X.columns);
    read(block, j, count, scratch[member]);
  });
}

inline void correlate(const CscView& X, const double* R, Index k, double* C) {
  correlate_blocks(X, R, k, C, [](Index, Index, Index, std::vector<double>&) {});
}

// C[a + t count] = (X'R)[features[a], t]; for few values a panel is not worth packing
inline void correlate_some(const CscView& X, const Index* features, Index count, const double* R, Index k, double* C) {
  Index stored = 0;
  for (Index a = 0; a < count; a++) stored += X.stored(features[a]);
  if (stored < 4 * X.rows) {
    for (Index t = 0; t < k; t++) csc_dots(X, features, 0, count, R + t * X.rows, 1, 1, C + t * count, 1, count);
    return;
  }
  const Panels panels(R, X.rows, k);
  for (Index t = 0; t < k; t += panels.width)
    csc_dots(X, features, 0, count, panels.values.data() + t * X.rows, panels.width, panels.used(t), C + t * count, 1, count);
}

inline void scan(const CscView& X, const double* theta, const Scan& scan) {
  Reading reading(scan, (X.columns + csc_block_columns - 1) / csc_block_columns);
  correlate_blocks(X, theta, scan.fits * scan.strengths, scan.C,
                   [&](Index block, Index j, Index count, std::vector<double>& scratch) { reading.read(block, j, count, scratch); });
  reading.finish();
}

// out (rows x k) = X[:, features] B, B (count x k)
inline void combine(const CscView& X, const Index* features, Index count, const double* B, Index k, double* out) {
  const int width = panel_width(X.rows, k);
  const Index items = (k + width - 1) / width;
  Index stored = 0;
  for (Index a = 0; a < count; a++) stored += X.stored(features[a]);
  team::share(team::members(items, static_cast<double>(stored + X.rows) * static_cast<double>(k)), items, [&](Index item, std::size_t) {
    const Index t = item * width;
    const int used = static_cast<int>(std::min<Index>(width, k - t));
    const Aligned panel(X.rows * width);
    if (X.single)
      kernels().csc_spread_f32(X.some<float>(features, 0, count), B + t * count, count, width, used, panel.data());
    else
      kernels().csc_spread(X.some<double>(features, 0, count), B + t * count, count, width, used, panel.data());
    for (Index i = 0; i < X.rows; i++)
      for (int u = 0; u < used; u++) out[i + (t + u) * X.rows] = panel.data()[i * width + u];
  });
}

// out[a + b m] = sum_i X[i, left[a]] w[i] X[i, right[b]]: a few columns of left at a time are spread out over a panel
inline void gram_by_panels(const CscView& X, const Index* left, Index m, const Index* right, Index q, const double* w, double* out) {
  const int width = panel_width(X.rows, m);
  const Index items = (m + width - 1) / width;
  Index stored = 0;
  for (Index b = 0; b < q; b++) stored += X.stored(right[b]);
  const std::size_t members = team::members(items, static_cast<double>(stored) * static_cast<double>(m));
  std::vector<std::unique_ptr<Aligned>> rooms(members);
  team::share(members, items, [&](Index item, std::size_t member) {
    if (!rooms[member]) rooms[member] = std::make_unique<Aligned>(X.rows * width);
    double* panel = rooms[member]->data();
    const Index a = item * width;
    const int used = static_cast<int>(std::min<Index>(width, m - a));
    for (int u = 0; u < used; u++)
      for (Index k = X.indptr[left[a + u]]; k < X.indptr[left[a + u] + 1]; k++)
        panel[Index(X.indices[k]) * width + u] = w ? w[X.indices[k]] * X.value(k) : X.value(k);
    csc_dots(X, right, 0, q, panel, width, used, out + a, m, 1);
    for (int u = 0; u < used; u++)
      for (Index k = X.indptr[left[a + u]]; k < X.indptr[left[a + u] + 1]; k++) panel[Index(X.indices[k]) * width + u] = 0;
  });
}

// The listed columns by rows: row i holds entries [start[i], start[i + 1])
struct ByRows {
  std::vector<Index> start;
  std::vector<int> place;  // in the list
  std::vector<double> value;

  ByRows(const CscView& X, const Index* features, Index count) : start(static_cast<std::size_t>(X.rows) + 2, 0) {
    Index stored = 0;
    for (Index a = 0; a < count; a++) {
      stored += X.stored(features[a]);
      for (Index k = X.indptr[features[a]]; k < X.indptr[features[a] + 1]; k++) start[X.indices[k] + 2]++;
    }
    for (Index i = 0; i < X.rows; i++) start[i + 2] += start[i + 1];
    place.resize(stored);
    value.resize(stored);
    for (Index a = 0; a < count; a++)
      for (Index k = X.indptr[features[a]]; k < X.indptr[features[a] + 1]; k++) {
        const Index e = start[X.indices[k] + 1]++;
        place[e] = static_cast<int>(a);
        value[e] = X.value(k);
      }
  }
};

// the same from the rows of left: a multiply-add for each pair of values that share a row, and no other work
inline void gram_by_rows(const CscView& X, const ByRows& left, Index m, const Index* right, Index q, const double* w, double* out) {
  constexpr Index wide = 32;
  const Index items = (q + wide - 1) / wide;
  team::share(team::members(items, static_cast<double>(m) * static_cast<double>(q)), items, [&](Index item, std::size_t) {
    const Index last = std::min(q, (item + 1) * wide);
    std::fill(out + item * wide * m, out + last * m, 0.0);
    for (Index b = item * wide; b < last; b++)
      for (Index k = X.indptr[right[b]]; k < X.indptr[right[b] + 1]; k++) {
        const Index i = X.indices[k];
        const double x = w ? w[i] * X.value(k) : X.value(k);
        for (Index e = left.start[i]; e < left.start[i + 1]; e++) out[b * m + left.place[e]] += x * left.value[e];
      }
  });
}

// out[a + b m] = sum_i X[i, left[a]] w[i] X[i, right[b]] (w null: ones)
inline void gram(const CscView& X, const Index* left, Index m, const Index* right, Index q, const double* w, double* out) {
  if (m == 0 || q == 0) return;
  const ByRows rows(X, left, m);
  Index pairs = 0, panels = 0;
  for (Index b = 0; b < q; b++) {
    panels += X.stored(right[b]) * m / 4;  // a panel serves about four times as many values in the same time (measured)
    for (Index k = X.indptr[right[b]]; k < X.indptr[right[b] + 1]; k++) pairs += rows.start[X.indices[k] + 1] - rows.start[X.indices[k]];
  }
  if (pairs < panels)
    gram_by_rows(X, rows, m, right, q, w, out);
  else
    gram_by_panels(X, left, m, right, q, w, out);
  if (left == right && m == q)
    for (Index b = 0; b < m; b++)
      for (Index a = b + 1; a < m; a++) out[a + b * m] = out[b + a * m];
}

// out[i + a rows] = row_scale[i] (X[i, features[a]] - shift[a]), zeros written out; row_scale null: ones
inline void gather(const CscView& X, const Index* features, Index count, const double* shift, const double* row_scale, double* out) {
  const std::size_t members = team::members(count, static_cast<double>(X.rows) * static_cast<double>(count));
  team::share(members, count, [&](Index a, std::size_t) {
    double* column = out + a * X.rows;
    if (row_scale)
      for (Index i = 0; i < X.rows; i++) column[i] = -shift[a] * row_scale[i];
    else
      std::fill(column, column + X.rows, -shift[a]);
    for (Index k = X.indptr[features[a]]; k < X.indptr[features[a] + 1]; k++) {
      const int i = X.indices[k];
      column[i] = (X.value(k) - shift[a]) * (row_scale ? row_scale[i] : 1.0);
    }
  });
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
