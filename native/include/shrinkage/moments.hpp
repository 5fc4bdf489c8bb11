#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
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

constexpr Index panel_rows = 256;  // of 500 columns: what the second-level cache holds
constexpr Index most_lanes = 8;

// Lanes of a piece: their accumulators together take at most a sixteenth of what its rows do.
inline Index lanes_of(Index rows, Index size) {
  return std::min(most_lanes, std::max<Index>(1, rows / std::max<Index>(16 * size, 8 * panel_rows)));
}

// Some rows of D times the root of their weights, a column after the other, `panel_rows` apart.
class Panel {
 public:
  explicit Panel(const Rows& of) : rows_(of), data_(static_cast<std::size_t>(panel_rows * of.size())) {}

  // out (lower triangle, size x size) += what the rows at `first` to `first + count` of the order give
  void add(Index first, Index count, double* out) {
    fill(first, count);
    const linalg::Int size = products::narrow(rows_.size());
    linalg::syrk(linalg::Op::transpose, size, products::narrow(count), 1, data_.data(), products::narrow(panel_rows), 1, out, size);
  }

 private:
  double* column(Index a) { return data_.data() + a * panel_rows; }

  void fill(Index first, Index count) {
    if (rows_.X.single)
      copy<float>(first, count);
    else
      copy<double>(first, count);
    bool ones = rows_.width == 2;
    for (Index c = 0; c < rows_.width; c++)
      for (Index i = 0; i < count; i++) {
        const double value = rows_.rest[rows_.row(first + i) * rows_.width + c];
        column(rows_.m + c)[i] = value;
        ones = ones && (c == 0 || value == 1);
      }
    remove(count, ones);
    if (rows_.weights) weigh(first, count);
  }

  template <class Real>
  void copy(Index first, Index count) {
    const DenseView& X = rows_.X;
    if (!rows_.order) return products::copy_panel<Real>(X, first, count, rows_.features, 0, rows_.m, data_.data(), panel_rows);
    const auto feature = [this](Index a) { return rows_.features ? rows_.features[a] : a; };
    if (X.column_stride == 1) {
      for (Index i = 0; i < count; i++) {
        const Real* x = X.at<Real>(rows_.order[first + i], 0);
        for (Index a = 0; a < rows_.m; a++) column(a)[i] = x[feature(a)];
      }
      return;
    }
    for (Index a = 0; a < rows_.m; a++) {
      const Real* x = X.at<Real>(0, feature(a));
      for (Index i = 0; i < count; i++) column(a)[i] = x[rows_.order[first + i] * X.row_stride];
    }
  }

  // x - q removed; where Q is the intercept's column of ones alone, that is one number for a column
  void remove(Index count, bool ones) {
    const Index q = rows_.width - 1;
    if (ones) {
      for (Index a = 0; a < rows_.m; a++) {
        const double shift = rows_.removed[a];
        for (Index i = 0; i < count; i++) column(a)[i] -= shift;
      }
    } else if (q > 0) {
      const linalg::Int m = products::narrow(rows_.m), ld = products::narrow(panel_rows);
      linalg::gemm(linalg::Op::none, linalg::Op::transpose, products::narrow(count), m, products::narrow(q), -1, column(rows_.m + 1), ld,
                   rows_.removed, m, 1, data_.data(), ld);
    }
  }

  void weigh(Index first, Index count) {
    double root[panel_rows];
    for (Index i = 0; i < count; i++) root[i] = std::sqrt(rows_.weights[rows_.row(first + i)]);
    for (Index a = 0; a < rows_.size(); a++)
      for (Index i = 0; i < count; i++) column(a)[i] *= root[i];
  }

  const Rows& rows_;
  std::vector<double> data_;
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
