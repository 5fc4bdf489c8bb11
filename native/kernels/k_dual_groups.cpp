#include <cfloat>
#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/lanes.hpp"

// Dual averaging under sum_i (l1 |w_i| + l2/2 w_i^2) + sum_g lam_g ||w_g||, group by group. With n = w / ||w|| (0 where
// w = 0), c = memory Gamma and q = w + u where w_i != 0, memory z + u elsewhere (both less the l1 part), z = q + c n, and
// what is left of its length is
//
//   ||z|| - Gamma' = (||q||^2 + 2 c <n, q>) / (||z|| + c) - step lam      with ||z||^2 = ||q||^2 + 2 c <n, q> + c^2
//
// so that three sums over a group say all; where w_g = 0 it is ||q|| - c - step lam.
//
// A panel of groups is copied into `scratch` in strips, rows as wide as a vector, as k_groups.cpp does.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

constexpr Index block = 64;  // rows that are summed before the sum goes on in double

// Strips that are summed together: all of one wide group, or one strip of narrow ones. Lane l belongs to group
// l / lanes_each.
template <class Real>
struct Unit {
  Real *q, *w;  // q holds the ratios of steps first
  Real *t, *y;  // with l1 alone: memory times its threshold, and soft(z, threshold)
  Index rows;
  int groups, lanes_each;
};

// What is known of each lane's group.
template <class Real>
struct Known {
  Real step[width<Real>], ratio[width<Real>];  // the one step, and 1 / rms(d) in units of the largest d
  Real c[width<Real>], added[width<Real>];     // memory Gamma, and step lam
  Real unit[width<Real>], pull[width<Real>];   // powers of two over w, and c / ||w||, so that c n = w unit pull
  Real l1[width<Real>], divisor[width<Real>], left[width<Real>];
};

template <class Real>
inline void add_lanes(double* totals, LanesOf<Real> part) {
  Real x[width<Real>];
  put(x, part);
  for (int l = 0; l < width<Real>; l++) totals[l] += static_cast<double>(x[l]);
}

// over the lanes of one group
template <class Real>
inline double gathered(const Unit<Real>& s, const double* totals, int group) {
  double sum = 0;
  for (int l = group * s.lanes_each; l < (group + 1) * s.lanes_each; l++) sum += totals[l];
  return sum;
}

template <class Real>
inline void give(const Unit<Real>& s, Real* lanes, int group, double value) {
  for (int l = group * s.lanes_each; l < (group + 1) * s.lanes_each; l++) lanes[l] = static_cast<Real>(value);
}

// One step for each group, that of the root mean square of d = 1 / step. Leaves in q what u is to be multiplied by, in
// units of `ratio`; -1 where the step is 0 and u stays.
template <class Real>
void one_step(const Unit<Real>& s, Index size, Known<Real>& at) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const Real most = sizeof(Real) == 4 ? static_cast<Real>(FLT_MAX) : static_cast<Real>(DBL_MAX);
  V low = all_lanes<Real>(most);
  const V zero{}, one = all_lanes<Real>(1);
  for (Index i = 0; i < s.rows; i++) {
    const V step = lanes_at(s.q + i * W);
    low = step < low ? step : low;
  }
  Real lows[W];
  put(lows, low);
  for (int g = 0; g < s.groups; g++) {
    Real least = most;
    for (int l = g * s.lanes_each; l < (g + 1) * s.lanes_each; l++) least = lows[l] < least ? lows[l] : least;
    give(s, lows, g, static_cast<double>(least));
  }
  low = lanes_at(lows);
  double squares[W] = {};
  for (Index start = 0; start < s.rows; start += block) {
    const Index stop = start + block < s.rows ? start + block : s.rows;
    V sum{};
    for (Index i = start; i < stop; i++) {
      const V step = lanes_at(s.q + i * W), ratio = low / (step > zero ? step : one);
      sum += ratio * ratio;
      put(s.q + i * W, step > zero ? ratio : zero - 1);
    }
    add_lanes<Real>(squares, sum);
  }
  for (int g = 0; g < s.groups; g++) {
    const double sum = gathered(s, squares, g), ratio = sum > 0 ? std::sqrt(static_cast<double>(size) / sum) : 1;
    give(s, at.ratio, g, ratio);
    give(s, at.step, g, static_cast<double>(lows[g * s.lanes_each]) * ratio);
  }
}

template <class Real>
inline LanesOf<Real> size_of(LanesOf<Real> x) {
  return x < LanesOf<Real>{} ? -x : x;
}

// a power of two that brings x near 1
template <class Real>
double near_one(double x) {
  if (!(x > 0)) return 1;
  int exponent;
  std::frexp(x <= DBL_MAX ? x : 1.0, &exponent);
  const int limit = sizeof(Real) == 4 ? 120 : 1000;  // where the power is a normal number, as its inverse is
  return std::ldexp(1.0, exponent > limit ? -limit : exponent < -limit ? limit : -exponent);
}

// For each lane the power of two that brings the largest number of its group, or `least`, near 1.
template <class Real>
void units_of(const Unit<Real>& s, const Real* x, const Real* least, Real* units) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  V most{};
  for (Index i = 0; i < s.rows; i++) {
    const V size = size_of<Real>(lanes_at(x + i * W));
    most = size > most ? size : most;
  }
  Real tops[W];
  put(tops, most);
  for (int g = 0; g < s.groups; g++) {
    double top = least ? static_cast<double>(least[g * s.lanes_each]) : 0;
    for (int l = g * s.lanes_each; l < (g + 1) * s.lanes_each; l++) top = static_cast<double>(tops[l]) > top ? static_cast<double>(tops[l]) : top;
    give(s, units, g, near_one<Real>(top));
  }
}

// sums of a^2, b^2 and a b over the rows, in units of their own
template <class Real>
void three_sums(const Unit<Real>& s, const Real* a, const Real* unit_a, const Real* b, const Real* unit_b, double* aa, double* bb, double* ab) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const V x_unit = lanes_at(unit_a), y_unit = lanes_at(unit_b);
  for (int l = 0; l < W; l++) aa[l] = bb[l] = ab[l] = 0;
  for (Index start = 0; start < s.rows; start += block) {
    const Index stop = start + block < s.rows ? start + block : s.rows;
    V xx{}, yy{}, xy{};
    for (Index i = start; i < stop; i++) {
      const V x = lanes_at(a + i * W) * x_unit, y = lanes_at(b + i * W) * y_unit;
      xx += x * x;
      yy += y * y;
      xy += x * y;
    }
    add_lanes<Real>(aa, xx);
    add_lanes<Real>(bb, yy);
    add_lanes<Real>(ab, xy);
  }
}

// The part of l1: y = soft(z, its threshold), q becomes y - c n, and t becomes z.
template <class Real>
void take_l1(const Unit<Real>& s, const Known<Real>& at) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const V zero{}, unit = lanes_at(at.unit), pull = lanes_at(at.pull), l1 = lanes_at(at.l1);
  for (Index i = 0; i < s.rows; i++) {
    const V w = lanes_at(s.w + i * W), q = lanes_at(s.q + i * W), t = lanes_at(s.t + i * W), cn = w * unit * pull;
    const V sign = w > zero ? zero + 1 : (w < zero ? zero - 1 : zero), pulled = q + cn, beyond = sign * pulled - l1;
    const V z = pulled + sign * t, over = size_of<Real>(z) - (t + l1), crossed = over > zero ? (z > zero ? over : -over) : z - z;
    const V y = beyond > zero ? sign * beyond : crossed;
    put(s.y + i * W, y);
    put(s.q + i * W, beyond > zero ? q - sign * l1 : y - cn);
    put(s.t + i * W, z);
  }
}

// What is left of the length of each group, as the part of y that stays: 0 where the group is gone.
template <bool sparse, class Real>
void solve(const Unit<Real>& s, Known<Real>& at) {
  constexpr int W = width<Real>;
  Real unit_q[W];
  double ww[W], qq[W], wq[W];
  for (int l = 0; l < W; l++) unit_q[l] = at.unit[l] = 1, at.pull[l] = at.left[l] = 0;
  units_of<Real>(s, s.w, nullptr, at.unit);
  if (sparse) {
    three_sums<Real>(s, s.w, at.unit, s.w, at.unit, ww, qq, wq);
    for (int g = 0; g < s.groups; g++) {
      const double norm = std::sqrt(gathered(s, ww, g));
      give(s, at.pull, g, norm > 0 ? static_cast<double>(at.c[g * s.lanes_each]) / norm : 0);
    }
    take_l1(s, at);
  }
  units_of(s, s.q, at.c, unit_q);
  three_sums<Real>(s, s.w, at.unit, s.q, unit_q, ww, qq, wq);
  for (int g = 0; g < s.groups; g++) {
    const int l = g * s.lanes_each;
    const double unit = static_cast<double>(unit_q[l]), c = static_cast<double>(at.c[l]) * unit, norm = std::sqrt(gathered(s, ww, g));
    const double squares = gathered(s, qq, g), rest = norm > 0 ? squares + 2 * c * (gathered(s, wq, g) / norm) : 0;
    const double reach = norm > 0 ? std::sqrt(rest + c * c > 0 ? rest + c * c : 0) : std::sqrt(squares);
    const double left = (norm > 0 ? rest / (reach + c > 0 ? reach + c : 1) : reach - c) - static_cast<double>(at.added[l]) * unit;
    give(s, at.pull, g, norm > 0 ? static_cast<double>(at.c[l]) / norm : 0);
    give(s, at.left, g, left > 0 ? left / reach : 0);
  }
}

// Columns `first` to `first + columns` of the last two axes, strip by strip.
template <class Real>
struct Panel {
  const DualGroupArrays<Real>& x;
  Index first, columns;
  Real *q, *w, *t, *y;
};

template <class Real>
void take_steps(const Panel<Real>& p) {
  constexpr int W = width<Real>;
  const Index stride = p.x.groups * p.x.inner;
  for (Index o = 0; o < p.x.outer; o++)
    for (Index j = 0, strip = 0; j < p.columns; j += W, strip++) {
      Real* to = p.q + (strip * p.x.outer + o) * W;
      const Index count = p.columns - j;
      put(to, lanes_at(p.x.steps + o * stride + p.first + j, count));
      for (Index l = count; l < W; l++) to[l] = static_cast<Real>(INFINITY);  // of no weight in a mean
    }
}

// q, w and t of some strips of a panel
template <bool metric, bool sparse, class Real>
void take_in(const Panel<Real>& p, Index strip, Index strips, Real memory, const Known<Real>& at) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const Index stride = p.x.groups * p.x.inner;
  const V zero{}, kept = all_lanes(memory), ratio = lanes_at(at.ratio);
  for (Index o = 0; o < p.x.outer; o++)
    for (Index k = strip; k < strip + strips; k++) {
      const Index from = o * stride + p.first + k * W, to = (k * p.x.outer + o) * W, count = p.columns - k * W;
      const V w = lanes_at(p.x.w + from, count);
      V u = lanes_at(p.x.u + from, count);
      if (metric) {
        const V part = lanes_at(p.q + to);
        u = part < zero ? u : u * (part * ratio);
      }
      put(p.q + to, (w == zero ? kept * lanes_at(p.x.z + from, count) : w) + u);
      put(p.w + to, w);
      if (sparse) put(p.t + to, kept * lanes_at(p.x.l1_threshold + from, count));
    }
}

// Weights, z where they are 0, and thresholds.
template <bool sparse, class Real>
void take_out(const Panel<Real>& p, Index strip, Index strips, Real memory, const Known<Real>& at) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const Index stride = p.x.groups * p.x.inner;
  const V zero{}, unit = lanes_at(at.unit), pull = lanes_at(at.pull), left = lanes_at(at.left), divisor = lanes_at(at.divisor);
  const V l1 = lanes_at(at.l1), grown = lanes_at(at.c) + lanes_at(at.added), kept = all_lanes(memory);
  for (Index o = 0; o < p.x.outer; o++)
    for (Index k = strip; k < strip + strips; k++) {
      const Index to = o * stride + p.first + k * W, from = (k * p.x.outer + o) * W, count = p.columns - k * W;
      const V y = sparse ? lanes_at(p.y + from) : lanes_at(p.q + from) + lanes_at(p.w + from) * unit * pull;
      const V z = sparse ? lanes_at(p.t + from) : y;
      const V w = left > zero ? y * left / divisor : y - y;  // what is not finite stays visible
      put(p.x.w + to, w, count);
      put(p.x.z + to, w == zero ? z : zero, count);
      put(p.x.threshold + to, grown, count);
      if (sparse) put(p.x.l1_threshold + to, kept * lanes_at(p.x.l1_threshold + to, count) + l1, count);
    }
}

// lam of a group, a finite Real: that times a step of 0 is 0
template <class Real>
double strength(const DualGroupScalars& c, Index group) {
  const double lam = c.lams[c.one_lam ? 0 : group], most = sizeof(Real) == 4 ? static_cast<double>(FLT_MAX) : DBL_MAX;
  return lam < most ? lam : most;
}

// One unit of a panel, from strip `strip` on; `group` is the first one of its `real` groups (other lanes are empty).
template <bool metric, bool sparse, class Real>
void one_unit(const Panel<Real>& p, const DualGroupScalars& c, Index strip, Index strips, Index group, Index real, const Unit<Real>& s) {
  constexpr int W = width<Real>;
  const Real memory = static_cast<Real>(c.memory);
  Known<Real> at{};
  for (int l = 0; l < W; l++) at.step[l] = static_cast<Real>(c.step), at.ratio[l] = at.divisor[l] = 1;
  if (metric) one_step(s, p.x.outer * p.x.inner, at);
  for (int g = 0; g < s.groups && g < real; g++) {
    const double step = static_cast<double>(at.step[g * s.lanes_each]);
    give(s, at.c, g, static_cast<double>(memory * p.x.threshold[(group + g) * p.x.inner]));
    give(s, at.added, g, step * strength<Real>(c, group + g));
    give(s, at.l1, g, step * c.l1);
    give(s, at.divisor, g, 1 + step * c.l2);
  }
  take_in<metric, sparse>(p, strip, strips, memory, at);
  solve<sparse>(s, at);
  take_out<sparse>(p, strip, strips, memory, at);
}

template <bool metric, bool sparse, class Real>
void by_panels(const DualGroupArrays<Real>& x, const DualGroupScalars& c, Index first, Index count, Real* scratch) {
  constexpr int W = width<Real>;
  const bool narrow = x.inner * 2 <= W;
  const int side_by_side = narrow ? W / static_cast<int>(x.inner) : 1, lanes_each = narrow ? static_cast<int>(x.inner) : W;
  const bool full = side_by_side * lanes_each == W;  // strips that leave lanes empty are panels of their own
  const Index most = narrow && full ? group_panel(x.outer) / W * side_by_side : side_by_side;
  for (Index g = first; g < first + count; g += most) {
    const Index here = first + count - g < most ? first + count - g : most, columns = here * x.inner, strips = (columns + W - 1) / W;
    const Index length = strips * x.outer * W, each = narrow ? 1 : strips;
    const Panel<Real> p{x, g * x.inner, columns, scratch, scratch + length, scratch + 2 * length, scratch + 3 * length};
    if (metric) take_steps(p);
    for (Index strip = 0, group = 0; strip < strips; strip += each, group += side_by_side) {
      const Index offset = strip * x.outer * W;
      const Unit<Real> s{p.q + offset, p.w + offset, p.t + offset, p.y + offset, each * x.outer, side_by_side, lanes_each};
      one_unit<metric, sparse>(p, c, strip, each, g + group, here - group, s);
    }
  }
}

template <class Real>
void dual_groups(const DualGroupArrays<Real>& x, const DualGroupScalars& c, Index first, Index count, Real* scratch) {
  if (x.steps)
    (x.l1_threshold ? by_panels<true, true, Real> : by_panels<true, false, Real>)(x, c, first, count, scratch);
  else
    (x.l1_threshold ? by_panels<false, true, Real> : by_panels<false, false, Real>)(x, c, first, count, scratch);
}

}  // namespace

void fill_dual_groups(Kernels& table) {
  table.dual_groups_f32 = dual_groups<float>;
  table.dual_groups_f64 = dual_groups<double>;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
