#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// One pass over the rows of a logistic model, with exp and log as polynomials so that the compiler's vectors stay full.
// Everything goes through z = exp(-|eta|), which lies in (0, 1]: no overflow, and full relative precision in both tails.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// Several vectors that go through the same arithmetic side by side: one exp is a chain of some thirty operations, each
// of which waits for the one before, and a single chain would leave most of the machine idle.
#if defined(__AVX512F__)
constexpr int depth = 4;
#else
constexpr int depth = 2;
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
constexpr int dual_depth = 1;  // two logarithms of every row are two chains already, and sixteen registers hold no more
#else
constexpr int dual_depth = depth;
#endif

template <int D>
struct Wide {
  static constexpr Index block = D * lanes;  // rows
  Vec part[D];
};

template <int D, class F>
inline Wide<D> each(F f) {
  Wide<D> out;
  SHRINKAGE_UNROLL
  for (int d = 0; d < D; d++) out.part[d] = f(d);
  return out;
}

template <int D>
inline Wide<D> operator+(Wide<D> a, Wide<D> b) {
  return each<D>([&](int d) { return a.part[d] + b.part[d]; });
}
template <int D>
inline Wide<D> operator-(Wide<D> a, Wide<D> b) {
  return each<D>([&](int d) { return a.part[d] - b.part[d]; });
}
template <int D>
inline Wide<D> operator*(Wide<D> a, Wide<D> b) {
  return each<D>([&](int d) { return a.part[d] * b.part[d]; });
}
template <int D>
inline Wide<D> operator/(Wide<D> a, Wide<D> b) {
  return each<D>([&](int d) { return a.part[d] / b.part[d]; });
}
template <int D>
inline Wide<D> operator+(Wide<D> a, double b) {
  return each<D>([&](int d) { return a.part[d] + b; });
}
template <int D>
inline Wide<D> operator-(Wide<D> a, double b) {
  return each<D>([&](int d) { return a.part[d] - b; });
}
template <int D>
inline Wide<D> operator*(double b, Wide<D> a) {
  return each<D>([&](int d) { return b * a.part[d]; });
}
template <int D>
inline Wide<D> operator-(double b, Wide<D> a) {
  return each<D>([&](int d) { return b - a.part[d]; });
}
template <int D>
inline Wide<D> operator-(Wide<D> a) {
  return each<D>([&](int d) { return -a.part[d]; });
}
template <int D>
inline Wide<D> absolute(Wide<D> a) {
  return each<D>([&](int d) { return absolute(a.part[d]); });
}
template <int D>
inline Wide<D> at_least(Wide<D> a, double least) {
  return each<D>([&](int d) { return larger(a.part[d], splat(least)); });
}
template <int D>
inline Wide<D> at_most_one(Wide<D> a) {
  return each<D>([&](int d) { return a.part[d] < 1.0 ? a.part[d] : splat(1.0); });
}
template <int D>
inline Wide<D> pick(Wide<D> test, Wide<D> if_not_negative, Wide<D> if_negative) {
  return each<D>([&](int d) { return test.part[d] < 0 ? if_negative.part[d] : if_not_negative.part[d]; });
}
template <int D>
inline double sum(Wide<D> a) {
  Vec total = a.part[0];
  for (int d = 1; d < D; d++) total += a.part[d];
  return sum(total);
}

// c[0] + c[1] x + ... + c[N - 1] x^(N - 1)
template <int D, int N>
inline Wide<D> polynomial(const double (&c)[N], Wide<D> x) {
  Wide<D> p = each<D>([&](int) { return splat(c[N - 1]); });
  SHRINKAGE_UNROLL
  for (int k = N - 2; k >= 0; k--) p = p * x + c[k];
  return p;
}

// 1 / (2k + 1): atanh(s) / s as a polynomial in s^2
constexpr double odd_shares[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17,
                                 1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31, 1.0 / 33};
// (exp(f) - 1 - f) / f^2
constexpr double exp_tail[] = {1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
                               1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

#if defined(__GNUC__) || defined(__clang__)

#if defined(__AVX512DQ__)
typedef Mask Whole;  // integers that doubles convert to in one instruction
#else
typedef int Whole __attribute__((vector_size(lanes * sizeof(int))));
#endif

// The build lets sums be reordered; the two steps of an argument reduction must not be.
#if defined(__has_builtin)
#if __has_builtin(__builtin_assoc_barrier)
#define SHRINKAGE_IN_ORDER(x) __builtin_assoc_barrier(x)
#endif
#endif
#if !defined(SHRINKAGE_IN_ORDER)
#define SHRINKAGE_IN_ORDER(x) (x)
#endif

inline Vec from_bits(Mask bits) {
  Vec v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

inline Mask bits_of(Vec v) {
  Mask bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}

// exp(x) for x <= 0, within 1-2 units in the last place; below -708 it stays at exp(-708). 2^k times a polynomial on
// |f| <= ln(2)/2, where ln 2 is subtracted in two parts, the first exact.
template <int D>
inline Wide<D> exp_of_negative(Wide<D> x) {
  x = at_least(x, -708.0);
  Whole k[D];
  const Wide<D> f = each<D>([&](int d) {
    k[d] = __builtin_convertvector(x.part[d] * 1.4426950408889634 - 0.5, Whole);
    const Vec whole = __builtin_convertvector(k[d], Vec);
    return SHRINKAGE_IN_ORDER(x.part[d] - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
  });
  const Wide<D> tail = polynomial(exp_tail, f);
  return each<D>([&](int d) {
    const Vec e = SHRINKAGE_IN_ORDER(tail.part[d] * f.part[d] * f.part[d] + f.part[d]) + 1.0;
    return e * from_bits((__builtin_convertvector(k[d], Mask) + 1023) << 52);
  });
}

// the exponent field of positive doubles; unsigned, because AVX2 shifts signed integers of 64 bits one by one
inline Mask shifted_down(Mask bits) {
  typedef std::uint64_t Unsigned __attribute__((vector_size(lanes * sizeof(double))));
  return reinterpret_cast<Mask>(reinterpret_cast<Unsigned>(bits) >> 52);
}

// log(1 + z) for z in [0, 1], by 2 atanh(s) with s <= 1/3
template <int D>
inline Wide<D> log_one_plus(Wide<D> z) {
  const Wide<D> s = z / (z + 2.0);
  return 2.0 * s * polynomial(odd_shares, s * s);
}

// log(x) for normal x > 0: of its exponent, and of its mantissa between the roots of 1/2 and 2
template <int D>
inline Wide<D> log_of(Wide<D> x) {
  Wide<D> exponent;
  const Wide<D> m = each<D>([&](int d) {
    const Mask bits = bits_of(x.part[d]);
    const Vec e = SHRINKAGE_IN_ORDER(from_bits(shifted_down(bits) | 0x4330000000000000LL)) - (4503599627370496.0 + 1023.0);
    const Vec mantissa = from_bits((bits & 0x000fffffffffffffLL) | 0x3ff0000000000000LL);
    const Mask upper = mantissa > 1.4142135623730951;
    exponent.part[d] = upper ? e + 1.0 : e;
    return upper ? mantissa * 0.5 : mantissa;
  });
  const Wide<D> s = (m - 1.0) / (m + 1.0);
  constexpr double shares[] = {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
  return 2.0 * s * polynomial(shares, s * s) + 0.6931471805599453 * exponent;
}

#else

template <int D>
inline Wide<D> exp_of_negative(Wide<D> x) {
  return each<D>([&](int d) { return std::exp(x.part[d] < -708.0 ? -708.0 : x.part[d]); });
}
template <int D>
inline Wide<D> log_one_plus(Wide<D> z) {
  return each<D>([&](int d) { return std::log1p(z.part[d]); });
}
template <int D>
inline Wide<D> log_of(Wide<D> x) {
  return each<D>([&](int d) { return std::log(x.part[d]); });
}

#endif

// A run of rows, fewer than a block at the end: those left over go through the same arithmetic as the others.
template <int D>
inline Wide<D> load_rows(const double* p, Index count) {
  if (count >= Wide<D>::block) return each<D>([&](int d) { return load(p + d * lanes); });
  double full[Wide<D>::block];
  for (Index l = 0; l < Wide<D>::block; l++) full[l] = l < count ? p[l] : 0.0;
  return each<D>([&](int d) { return load(full + d * lanes); });
}

template <int D>
inline void store_rows(double* p, const Wide<D>& v, Index count) {
  if (count >= Wide<D>::block) {
    SHRINKAGE_UNROLL
    for (int d = 0; d < D; d++) store(p + d * lanes, v.part[d]);
    return;
  }
  double full[Wide<D>::block];
  for (int d = 0; d < D; d++) store(full + d * lanes, v.part[d]);
  for (Index l = 0; l < count; l++) p[l] = full[l];
}

double logistic_sweep(Index rows, const double* y, const double* v, const double* eta, const double* step, double t, double floor, double* moved,
                      double* residual, double* curvature) {
  using Rows = Wide<depth>;
  Rows slope{};
  for (Index i = 0; i < rows; i += Rows::block) {
    const Index left = rows - i;
    const Rows d = load_rows<depth>(step + i, left), e = load_rows<depth>(eta + i, left) + t * d;
    store_rows(moved + i, e, left);
    const Rows z = exp_of_negative(-absolute(e)), share = each<depth>([&](int b) { return 1.0 / (1.0 + z.part[b]); }), rest = z * share;
    const Rows one = pick(e, share, rest), zero = pick(e, rest, share);  // the probabilities of 1 and of 0
    const Rows weight = load_rows<depth>(v + i, left), answer = load_rows<depth>(y + i, left);
    const Rows r = weight * (answer * zero - (1.0 - answer) * one);
    store_rows(residual + i, r, left);
    store_rows(curvature + i, weight * at_least(share * rest, floor), left);
    slope = slope + r * d;
  }
  return sum(slope);
}

double logistic_value(Index rows, const double* y, const double* v, const double* eta) {
  using Rows = Wide<depth>;
  Rows total{};
  for (Index i = 0; i < rows; i += Rows::block) {
    const Index left = rows - i;
    const Rows e = load_rows<depth>(eta + i, left), answer = load_rows<depth>(y + i, left);
    // max(e, 0) - y e without cancellation: what is lost on the wrong side
    const Rows linear = (1.0 - answer) * at_least(e, 0.0) + answer * at_least(-e, 0.0);
    total = total + load_rows<depth>(v + i, left) * (linear + log_one_plus(exp_of_negative(-absolute(e))));
  }
  return sum(total);
}

double logistic_dual(Index rows, const double* v, const double* theta, const double* offset, double scale) {
  constexpr double least = 1e-300;
  using Rows = Wide<dual_depth>;
  Rows total{};
  for (Index i = 0; i < rows; i += Rows::block) {
    const Index left = rows - i;
    const Rows weight = load_rows<dual_depth>(v + i, left), dual = scale * load_rows<dual_depth>(theta + i, left);
    const Rows q = at_most_one(absolute(dual) / at_least(weight, least)), rest = 1.0 - q;
    total = total - weight * (q * log_of(at_least(q, least)) + rest * log_of(at_least(rest, least)));
    if (offset) total = total - dual * load_rows<dual_depth>(offset + i, left);
  }
  return sum(total);
}

}  // namespace

void fill_sweeps(Kernels& table) {
  table.logistic_sweep = logistic_sweep;
  table.logistic_value = logistic_value;
  table.logistic_dual = logistic_dual;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
