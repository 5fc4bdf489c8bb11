#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/kernels.hpp"
#include "shrinkage/products.hpp"
#include "shrinkage/team.hpp"

// Second moments of tall data in one pass: out += sum_i w_i d_i d_i' over the rows of a piece, d_i = [x_i - q_i removed, rest_i].
// The rows of all pieces are cut into lanes that do not depend on the threads, so neither do the bits of the sums.
namespace shrinkage {
namespace moments {

struct Rows {
  DenseView X;
  const Index* features;  // of X, or null for all
  Index m;                // how many
  const double* rest;     // (X.rows x width) row by row: y, then the q = width - 1 columns of Q
  Index width;
  const double* removed;  // (q x m) row by row
  const double* weights;  // (X.rows), >= 0, or null for ones
  const Index* order;     // the pieces' rows one after the other, or null for 0, 1, 2, ...

  Index size() const { return m + width; }
  Index row(Index place) const { return order ? order[place] : place; }
};

constexpr int together = 6;  // columns, which every group is a multiple of
constexpr Index panel_rows = 128;  // of 500 columns: half of a second-level cache
constexpr Index lane_rows = 2048, most_lanes = 8;

// Lanes of a piece: their accumulators together take at most a sixteenth of what its rows do.
inline Index lanes_of(Index rows, Index size) {
  return std::min(most_lanes, std::max<Index>(1, rows / std::max(16 * size, lane_rows)));
}

inline void fetch([[maybe_unused]] const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p);
#endif
}

// Some rows of D times the root of their weights, packed for `add_squares`: groups of columns, row by row in each.
class Panel {
 public:
  explicit Panel(const Rows& of)
      : rows_(of),
        group_(kernels().group),
        groups_((of.size() + group_ - 1) / group_),
        memory_(static_cast<std::size_t>(groups_ * group_ * panel_rows + 8)),
        removed_(static_cast<std::size_t>((of.width - 1) * groups_ * group_)) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    packed_ = memory_.data() + (64 - address % 64) % 64 / sizeof(double);
    for (Index k = 0; k + 1 < of.width; k++) std::copy_n(of.removed + k * of.m, of.m, removed_.data() + k * groups_ * group_);
  }

  // out (lower triangle, size x size) += what the rows at `first` to `first + count` of the order give
  void add(Index first, Index count, double* out) {
    const DenseView& X = rows_.X;
    if (X.single)
      X.column_stride == 1 && X.row_stride != 1 ? copy_rows<float>(first, count) : copy_columns<float>(first, count);
    else
      X.column_stride == 1 && X.row_stride != 1 ? copy_rows<double>(first, count) : copy_columns<double>(first, count);
    copy_rest(first, count);
    settle(first, count);
    kernels().add_squares(packed_, count, rows_.size(), out);
  }

 private:
  Index feature(Index a) const { return rows_.features ? rows_.features[a] : a; }
  // place of column a in a row of its group
  double* place(Index a, Index count) { return packed_ + a / group_ * group_ * count + a % group_; }

  template <class Real>
  void copy_rows(Index first, Index count) {
    for (Index i = 0; i < count; i++) {
      const Real* x = rows_.X.at<Real>(rows_.row(first + i), 0);
      for (Index from = 0; from < rows_.m; from += group_) {
        double* into = place(from, count) + i * group_;
        const Index width = std::min(group_, rows_.m - from);
        if (rows_.features)
          for (Index a = 0; a < width; a++) into[a] = x[rows_.features[from + a]];
        else
          for (Index a = 0; a < width; a++) into[a] = x[from + a];
      }
    }
  }

  // Several columns at a time, so that what is written of a row lies together.
  template <class Real>
  void copy_columns(Index first, Index count) {
    Index a = 0;
    for (; a + together <= rows_.m; a += together) {
      fetch_columns<Real>(a + 2 * together, first, count);
      copy_some<Real, together>(a, first, count);
    }
    for (; a < rows_.m; a++) copy_some<Real, 1>(a, first, count);
  }

  template <class Real>
  void fetch_columns(Index a, Index first, Index count) const {
    constexpr Index line = 64 / sizeof(Real);
    if (rows_.order || rows_.X.row_stride != 1) return;
    for (const Index end = std::min(a + together, rows_.m); a < end; a++) {
      const Real* next = rows_.X.at<Real>(first, feature(a));
      for (Index i = 0; i < count; i += line) fetch(next + i);
    }
  }

  template <class Real, int some>
  void copy_some(Index a, Index first, Index count) {
    const Real* x[some];
    for (int c = 0; c < some; c++) x[c] = rows_.X.at<Real>(rows_.order ? 0 : first, feature(a + c));
    double* into = place(a, count);
    const Index stride = rows_.X.row_stride, group = group_;
    const Index* order = rows_.order ? rows_.order + first : nullptr;
    for (Index i = 0; i < count; i++) {
      const Index at = (order ? order[i] : i) * stride;
      for (int c = 0; c < some; c++) into[i * group + c] = x[c][at];
    }
  }

  void copy_rest(Index first, Index count) {
    const Index size = rows_.size();
    for (Index a = rows_.m; a < groups_ * group_; a++) {
      double* into = place(a, count);
      for (Index i = 0; i < count; i++) into[i * group_] = a < size ? rows_.rest[rows_.row(first + i) * rows_.width + a - rows_.m] : 0.0;
    }
  }

  // x - q removed, times the root of the weight
  void settle(Index first, Index count) {
    const Index q = rows_.width - 1;
    if (q == 0 && !rows_.weights) return;
    double root[panel_rows];
    for (Index i = 0; i < count; i++) root[i] = rows_.weights ? std::sqrt(rows_.weights[rows_.row(first + i)]) : 1.0;
    free_.resize(static_cast<std::size_t>(q * panel_rows));
    for (Index i = 0; i < count; i++)
      for (Index k = 0; k < q; k++) free_[i * q + k] = rows_.rest[rows_.row(first + i) * rows_.width + 1 + k];
    for (Index g = 0; g < groups_; g++)
      kernels().settle_rows(packed_ + g * group_ * count, count, free_.data(), q, removed_.data() + g * group_, groups_ * group_, root);
  }

  const Rows& rows_;
  Index group_, groups_;
  std::vector<double> memory_, removed_, free_;
  double* packed_;
};

struct Lane {
  Index first, end;  // places of the order
  double* out;
};

// Every lane by whichever member of the team is free, each with a panel of its own.
inline void add_lanes(const Rows& rows, const std::vector<Lane>& lanes) {
  double places = 0;
  for (const Lane& lane : lanes) places += static_cast<double>(lane.end - lane.first);
  const Index count = static_cast<Index>(lanes.size());
  const std::size_t members = team::members(count, 0.5 * places * static_cast<double>(rows.size() * rows.size()));
  std::vector<std::unique_ptr<Panel>> panels(members);
  team::share(members, count, [&](Index l, std::size_t member) {
    if (!panels[member]) panels[member] = std::make_unique<Panel>(rows);
    for (Index i = lanes[l].first; i < lanes[l].end; i += panel_rows) {
      check_interrupt();
      panels[member]->add(i, std::min(panel_rows, lanes[l].end - i), lanes[l].out);
    }
  });
}

// out[k] (size x size, both triangles) += the moments of piece k: the rows at starts[k] to starts[k + 1] of the order.
inline void add(const Rows& rows, const Index* starts, Index pieces, double* out) {
  const Index size = rows.size(), square = size * size;
  Index extra = 0;
  for (Index k = 0; k < pieces; k++) extra += lanes_of(starts[k + 1] - starts[k], size) - 1;
  std::vector<double> scratch(static_cast<std::size_t>(extra * square));
  std::vector<Lane> lanes;
  double* spare = scratch.data();
  for (Index k = 0; k < pieces; k++) {
    const Index count = starts[k + 1] - starts[k], cut = lanes_of(count, size), panels = (count + panel_rows - 1) / panel_rows;
    for (Index l = 0; l < cut; l++) {
      const Index first = starts[k] + panels * l / cut * panel_rows, end = starts[k] + panels * (l + 1) / cut * panel_rows;
      lanes.push_back({first, std::min(end, starts[k + 1]), l == 0 ? out + k * square : spare});
      if (l > 0) spare += square;
    }
  }
  add_lanes(rows, lanes);
  spare = scratch.data();
  for (Index k = 0; k < pieces; k++) {
    double* into = out + k * square;
    for (Index l = 1; l < lanes_of(starts[k + 1] - starts[k], size); l++, spare += square)
      for (Index c = 0; c < size; c++)
        for (Index r = c; r < size; r++) into[c * size + r] += spare[c * size + r];
    for (Index c = 0; c < size; c++)
      for (Index r = 0; r < c; r++) into[c * size + r] = into[r * size + c];
  }
}

}  // namespace moments
}  // namespace shrinkage
