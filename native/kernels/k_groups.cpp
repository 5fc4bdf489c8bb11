#include <cfloat>
#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/lanes.hpp"

// The prox of sum_i (l1 |w_i| + l2/2 w_i^2) + sum_g lam_g ||w_g|| in a diagonal metric, group by group. With z the
// elementwise prox and a_i = lam step_i / (1 + step_i l2), a group is 0 if and only if sum (z_i / a_i)^2 <= 1, and else
// u_i = z_i r / (r + a_i) with r = ||u|| the root of sum (z_i / (r + a_i))^2 = 1.
//
// z and a of some groups are copied into `scratch`, in strips: rows as wide as a vector. A lane of a strip belongs to
// one group, so that narrow groups fill a vector side by side, and a wide one has all lanes of all its strips.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

constexpr Index block = 64;  // rows that are summed before the sum goes on in double

// z and a = lam step of one strip, or of all strips of one group.
template <class Real>
struct Strip {
  const Real* z;
  Real* a;  // unused where all steps are one
  Index rows;
  int groups, lanes_each;  // lane l belongs to group l / lanes_each; later lanes hold zeros
};

// What is known of the root for each lane. A factor is r / (r + a scale), or all of it where all steps are one.
template <class Real>
struct Roots {
  Real r[width<Real>], scale[width<Real>];  // r in units of 1 / scale, a power of two
  bool zero[width<Real>], poisoned[width<Real>];
};

// Sums over the rows of one strip, lane by lane and then by group.
struct Sums {
  double squares, weighted, ratios, slopes, most;
};

template <class Real>
inline LanesOf<Real> size_of(LanesOf<Real> z) {
  return z < LanesOf<Real>{} ? -z : z;
}

template <class Real>
inline void add_lanes(double* totals, LanesOf<Real> part) {
  Real x[width<Real>];
  put(x, part);
  for (int l = 0; l < width<Real>; l++) totals[l] += static_cast<double>(x[l]);
}

// over groups: sums of what the lanes have
template <class Real>
inline double gathered(const Strip<Real>& s, const double* totals, int group) {
  double sum = 0;
  for (int l = group * s.lanes_each; l < (group + 1) * s.lanes_each; l++) sum += totals[l];
  return sum;
}

// sum z^2, z^2 a, (z/a)^2, (z/a)^2/a and max z - a, of |z| scale; where a step is one for all, the first alone.
// Where z > a the third and fourth are not used: 2 keeps them from overflowing.
template <bool metric, class Real>
void first_look(const Strip<Real>& s, const Real* scale, Sums* out) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  double squares[W] = {}, weighted[W] = {}, ratios[W] = {}, slopes[W] = {};
  const V zero{}, one = all_lanes<Real>(1), unit = lanes_at(scale);
  V most = zero - 1;
  for (Index start = 0; start < s.rows; start += block) {
    const Index stop = start + block < s.rows ? start + block : s.rows;
    V square = zero, weight = zero, ratio = zero, slope = zero;
    for (Index i = start; i < stop; i++) {
      const V z = size_of<Real>(lanes_at(s.z + i * W)) * unit;
      square += z * z;
      if (metric) {
        const V a = lanes_at(s.a + i * W), inverse = one / (a > zero ? a : one);
        weight += z * z * a;
        most = z - a > most ? z - a : most;
        const V q = z > a ? zero + 2 : z * inverse;
        ratio += q * q;
        slope += q * q * inverse;
      }
    }
    add_lanes<Real>(squares, square);
    if (metric) {
      add_lanes<Real>(weighted, weight);
      add_lanes<Real>(ratios, ratio);
      add_lanes<Real>(slopes, slope);
    }
  }
  Real top[W];
  put(top, most);
  for (int g = 0; g < s.groups; g++) {
    out[g] = {gathered(s, squares, g), gathered(s, weighted, g), gathered(s, ratios, g), gathered(s, slopes, g), -1};
    for (int l = g * s.lanes_each; l < (g + 1) * s.lanes_each; l++)
      if (top[l] > out[g].most) out[g].most = static_cast<double>(top[l]);
  }
}

// sum q^2 and sum q^2 / d with d = r + a and q = |z| scale / d, by group
template <class Real>
void newton_sums(const Strip<Real>& s, const Roots<Real>& at, double* first, double* second) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  double firsts[W] = {}, seconds[W] = {};
  const V one = all_lanes<Real>(1), unit = lanes_at(at.scale), r = lanes_at(at.r);
  for (Index start = 0; start < s.rows; start += block) {
    const Index stop = start + block < s.rows ? start + block : s.rows;
    V f{}, g{};
    for (Index i = start; i < stop; i++) {
      const V inverse = one / (r + lanes_at(s.a + i * W)), q = size_of<Real>(lanes_at(s.z + i * W)) * unit * inverse;
      f += q * q;
      g += q * q * inverse;
    }
    add_lanes<Real>(firsts, f);
    add_lanes<Real>(seconds, g);
  }
  for (int k = 0; k < s.groups; k++) first[k] = gathered(s, firsts, k), second[k] = gathered(s, seconds, k);
}

// The largest |z| of each lane; what is not a number is passed over.
template <class Real>
void largest_sizes(const Strip<Real>& s, Real* out) {
  using V = LanesOf<Real>;
  V most{};
  for (Index i = 0; i < s.rows; i++) {
    const V z = size_of<Real>(lanes_at(s.z + i * width<Real>));
    most = z > most ? z : most;
  }
  put(out, most);
}

// A power of two that brings the largest |z| of a group near 1; 0 where all are 0. Also brings its a to that unit.
template <bool metric, class Real>
double rescale(const Strip<Real>& s, int group, const Real* sizes) {
  const int from = group * s.lanes_each, to = from + s.lanes_each;
  double most = 0;
  for (int l = from; l < to; l++) most = sizes[l] > most ? static_cast<double>(sizes[l]) : most;
  if (!(most > 0)) return 0;
  int exponent;
  std::frexp(most <= DBL_MAX ? most : 1.0, &exponent);
  const int limit = sizeof(Real) == 4 ? 120 : 1000;  // where the power is a normal number, as its inverse is
  const double scale = std::ldexp(1.0, exponent > limit ? -limit : exponent < -limit ? limit : -exponent);
  if (metric)
    for (Index i = 0; i < s.rows; i++)
      for (int l = from; l < to; l++) s.a[i * width<Real> + l] *= static_cast<Real>(scale);
  return scale;
}

// sum (z/a)^2 and sum (z/a)^2/a in double, for z <= a
template <class Real>
void exact_ratios(const Strip<Real>& s, int group, double scale, Sums* sums) {
  constexpr int W = width<Real>;
  sums->ratios = sums->slopes = 0;
  for (Index i = 0; i < s.rows; i++)
    for (int l = group * s.lanes_each; l < (group + 1) * s.lanes_each; l++) {
      const double z = std::fabs(static_cast<double>(s.z[i * W + l])) * scale, a = static_cast<double>(s.a[i * W + l]);
      if (!(a > 0)) continue;
      sums->ratios += z / a * (z / a);
      sums->slopes += z / a * (z / a) / a;
    }
}

inline double larger_of(double a, double b) {
  return b > a ? b : a;
}

// A start below the root, the better of three: the largest z - a, the root of the tangent at infinity, and a first
// Newton step from r = 0; 0 if the group vanishes.
template <class Real>
double start_below(const Strip<Real>& s, int group, double scale, Sums sums) {
  double from_zero = 0;
  if (!(sums.most > 0)) {
    if (!(sums.ratios < 0.999 || (sums.ratios > 1.001 && sums.ratios <= DBL_MAX))) exact_ratios(s, group, scale, &sums);
    if (sums.ratios <= 1) return 0;
    from_zero = sums.ratios * (std::sqrt(sums.ratios) - 1) / sums.slopes;
  }
  const double far = std::sqrt(sums.squares) - sums.weighted / sums.squares;
  return larger_of(larger_of(sums.most, from_zero), far);
}

// Newton on (sum q^2)^(-1/2) = 1, a concave function of r that is linear for equal a: every iterate is below the root. Its second
// derivative is at most 3/r of the first, so that a relative step of e leaves a relative error of at most 1.5 e^2.
template <class Real>
void newton(const Strip<Real>& s, Roots<Real>& at, bool* settled) {
  const double enough = sizeof(Real) == 4 ? 1e-4 : 5e-9;
  double first[width<Real>], second[width<Real>];
  for (int round = 0; round < 60; round++) {
    bool all = true;
    for (int g = 0; g < s.groups; g++) all = all && settled[g];
    if (all) return;
    newton_sums(s, at, first, second);
    for (int g = 0; g < s.groups; g++) {
      if (settled[g]) continue;
      const double r = static_cast<double>(at.r[g * s.lanes_each]), move = first[g] * (std::sqrt(first[g]) - 1) / second[g];
      settled[g] = !(move > enough * r) || !(move <= DBL_MAX);
      const double next = move <= DBL_MAX ? larger_of(r + move, 0.5 * r) : r;
      for (int l = g * s.lanes_each; l < (g + 1) * s.lanes_each; l++) at.r[l] = static_cast<Real>(next);
    }
  }
}

// Finds r, or with one step the factor itself, for every lane; `limits` are lam step by lane, of use with one step alone.
template <bool metric, class Real>
void solve(const Strip<Real>& s, const Real* lams, const double* limits, Roots<Real>& at) {
  constexpr int W = width<Real>;
  Sums sums[W], again[W];
  bool settled[W];
  for (int l = 0; l < W; l++) at.scale[l] = at.r[l] = 1, at.zero[l] = at.poisoned[l] = false;
  first_look<metric>(s, at.scale, sums);
  // Squares that overflow, or underflow so far that it shows, are taken again in another unit.
  const double low = sizeof(Real) == 4 ? 1e-24 : 1e-280, high = sizeof(Real) == 4 ? 1e30 : 1e280;
  bool looked_again = false;
  Real sizes[W];
  for (int g = 0; g < s.groups; g++) {
    if (sums[g].squares > low && sums[g].squares < high) continue;
    if (!looked_again) largest_sizes(s, sizes);
    const double scale = rescale<metric>(s, g, sizes);
    for (int l = g * s.lanes_each; l < (g + 1) * s.lanes_each; l++) at.scale[l] = static_cast<Real>(scale);
    looked_again = true;
  }
  if (looked_again) {
    first_look<metric>(s, at.scale, again);
    for (int g = 0; g < s.groups; g++) sums[g] = again[g];
  }
  for (int g = 0; g < s.groups; g++) {
    const int from = g * s.lanes_each, to = from + s.lanes_each;
    const double scale = static_cast<double>(at.scale[from]), squares = sums[g].squares, length = std::sqrt(squares);
    const double tiny = sizeof(Real) == 4 ? static_cast<double>(FLT_MIN) : DBL_MIN;
    const bool poisoned = !(squares <= DBL_MAX);
    double r = 0;
    if (squares > 0 && !poisoned)
      r = !metric ? larger_of(1 - limits[from] * scale / length, 0) : lams[from] == 0 ? length : start_below(s, g, scale, sums[g]);
    for (int l = from; l < to; l++) {
      at.zero[l] = !(r >= tiny);
      at.poisoned[l] = poisoned;
      at.r[l] = r >= tiny ? static_cast<Real>(r) : Real(1);
    }
    settled[g] = !(r >= tiny) || lams[from] == 0;
  }
  if (metric) newton(s, at, settled);
}

// Columns `first` to `first + columns` of the last two axes, copied to scratch strip by strip.
template <class Real>
struct Panel {
  const GroupArrays<Real>& x;
  Index first, columns;
  Real *z, *a;
};

// z = soft(w, step l1) / (1 + step l2) and a = lam step / (1 + step l2)
template <bool metric, bool elementwise, class Real>
void take_in(const Panel<Real>& p, const GroupScalars& c, const Real* lams, Index lams_per_strip) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  const V l1 = all_lanes(static_cast<Real>(c.l1)), l2 = all_lanes(static_cast<Real>(c.l2)), one = all_lanes<Real>(1);
  const Index stride = p.x.groups * p.x.inner;
  for (Index o = 0; o < p.x.outer; o++)
    for (Index j = 0, strip = 0; j < p.columns; j += W, strip++) {
      const Index from = o * stride + p.first + j, to = (strip * p.x.outer + o) * W, count = p.columns - j;
      V step = metric ? lanes_at(p.x.steps + from, count) : all_lanes(static_cast<Real>(c.step));
      V z = lanes_at(p.x.w + from, count);
      if (elementwise) {
        const V limit = step * l1, low = z > -limit ? z : -limit, divisor = one + step * l2;
        z = (z - (low < limit ? low : limit)) / divisor;
        step = step / divisor;
      }
      put(p.z + to, z);
      if (metric) put(p.a + to, step * lanes_at(lams + strip * lams_per_strip));
    }
}

// NaN where z is not finite: there it stays visible.
template <class Real>
inline Real poison(Real z, Real u) {
  return std::fabs(static_cast<double>(z)) <= (sizeof(Real) == 4 ? static_cast<double>(FLT_MAX) : DBL_MAX) ? u : static_cast<Real>(NAN);
}

// Writes strips of a panel, of the same roots, back as u = z r / (r + a), 0 in groups that vanish.
template <bool metric, class Real>
void take_out(const Panel<Real>& p, Index strip, Index strips, const Roots<Real>& at) {
  using V = LanesOf<Real>;
  constexpr int W = width<Real>;
  Real kept[W], changed[W];
  bool any_poisoned = false;
  for (int l = 0; l < W; l++) {
    kept[l] = at.zero[l] ? Real(0) : Real(1);
    any_poisoned = any_poisoned || at.poisoned[l];
  }
  const V r = lanes_at(at.r), zero{}, keep = lanes_at(kept);
  const Index stride = p.x.groups * p.x.inner;
  for (Index o = 0; o < p.x.outer; o++)
    for (Index k = strip; k < strip + strips; k++) {
      const Index row = (k * p.x.outer + o) * W;
      V u = lanes_at(p.z + row) * (metric ? r / (r + lanes_at(p.a + row)) : r);
      u = keep > zero ? u : zero;
      if (any_poisoned) {
        put(changed, u);
        for (int l = 0; l < W; l++) changed[l] = at.poisoned[l] ? poison(p.z[row + l], changed[l]) : changed[l];
        u = lanes_at(changed);
      }
      put(p.x.w + o * stride + p.first + k * W, u, p.columns - k * W);
    }
}

// lam of a group, a finite Real: that times a step of 0 is 0
template <class Real>
double strength(const GroupScalars& c, Index group) {
  const double lam = c.lams[c.one_lam ? 0 : group], most = sizeof(Real) == 4 ? static_cast<double>(FLT_MAX) : DBL_MAX;
  return lam < most ? lam : most;
}

// One group at a time, all lanes its own.
template <bool metric, bool elementwise, class Real>
void wide_groups(const GroupArrays<Real>& x, const GroupScalars& c, Index first, Index count, Real* scratch) {
  constexpr int W = width<Real>;
  const Index strips = (x.inner + W - 1) / W, length = strips * x.outer * W;
  Real lams[W];
  double limits[W];
  Roots<Real> at;
  for (Index g = first; g < first + count; g++) {
    const double lam = strength<Real>(c, g);
    for (int l = 0; l < W; l++) lams[l] = static_cast<Real>(lam), limits[l] = lam * (c.step / (1 + c.step * c.l2));
    const Panel<Real> panel{x, g * x.inner, x.inner, scratch, scratch + length};
    take_in<metric, elementwise>(panel, c, lams, 0);
    solve<metric>(Strip<Real>{panel.z, panel.a, strips * x.outer, 1, W}, lams, limits, at);
    take_out<metric>(panel, 0, strips, at);
  }
}

// As many groups as fit side by side into the lanes of each strip of a panel.
template <bool metric, bool elementwise, class Real>
void narrow_groups(const GroupArrays<Real>& x, const GroupScalars& c, Index first, Index count, Real* scratch) {
  constexpr int W = width<Real>;
  const int inner = static_cast<int>(x.inner), side_by_side = W / inner;
  const bool full = side_by_side * inner == W;  // strips that leave lanes empty are panels of their own
  const Index most = full ? group_panel(x.outer) / W * side_by_side : side_by_side;
  Real lams[64];
  double limits[64];
  Roots<Real> at;
  for (Index g = first; g < first + count; g += most) {
    const Index here = first + count - g < most ? first + count - g : most, columns = here * inner, strips = (columns + W - 1) / W;
    for (Index l = 0; l < strips * W; l++) {
      const double lam = l < columns ? strength<Real>(c, g + l / inner) : 0;
      lams[l] = static_cast<Real>(lam), limits[l] = lam * (c.step / (1 + c.step * c.l2));
    }
    const Panel<Real> panel{x, g * inner, columns, scratch, scratch + strips * x.outer * W};
    take_in<metric, elementwise>(panel, c, lams, W);
    for (Index strip = 0; strip < strips; strip++) {
      const Index offset = strip * x.outer * W;
      solve<metric>(Strip<Real>{panel.z + offset, panel.a + offset, x.outer, side_by_side, inner}, lams + strip * W, limits + strip * W, at);
      take_out<metric>(panel, strip, 1, at);
    }
  }
}

// Groups of one weight: its norm is its size, so lam joins l1.
template <class Real>
void single_weights(const GroupArrays<Real>& x, const GroupScalars& c, Index first, Index count) {
  const Real l1 = static_cast<Real>(c.l1), l2 = static_cast<Real>(c.l2);
  for (Index g = first; g < first + count; g++) {
    const Real step = x.steps ? x.steps[g] : static_cast<Real>(c.step), limit = step * (l1 + static_cast<Real>(strength<Real>(c, g)));
    const Real low = x.w[g] > -limit ? x.w[g] : -limit;
    x.w[g] = (x.w[g] - (low < limit ? low : limit)) / (1 + step * l2);
  }
}

template <bool metric, bool elementwise, class Real>
void by_width(const GroupArrays<Real>& x, const GroupScalars& c, Index first, Index count, Real* scratch) {
  if (x.inner * x.outer == 1) return single_weights(x, c, first, count);
  const bool narrow = x.inner * 2 <= width<Real>;
  (narrow ? narrow_groups<metric, elementwise, Real> : wide_groups<metric, elementwise, Real>)(x, c, first, count, scratch);
}

template <class Real>
void group_prox(const GroupArrays<Real>& x, const GroupScalars& c, Index first, Index count, Real* scratch) {
  const bool elementwise = c.l1 != 0 || c.l2 != 0;
  if (x.steps)
    (elementwise ? by_width<true, true, Real> : by_width<true, false, Real>)(x, c, first, count, scratch);
  else
    (elementwise ? by_width<false, true, Real> : by_width<false, false, Real>)(x, c, first, count, scratch);
}

}  // namespace

void fill_groups(Kernels& table) {
  table.group_prox_f32 = group_prox<float>;
  table.group_prox_f64 = group_prox<double>;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
