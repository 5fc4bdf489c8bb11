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
constexpr Index block = depth * lanes;

struct Wide {
  Vec part[depth];
};

template <class F>
inline Wide each(F f) {
  Wide out;
  SHRINKAGE_UNROLL
  for (int d = 0; d < depth; d++) out.part[d] = f(d);
  return out;
}

inline Wide operator+(Wide a, Wide b) {
  return each([&](int d) { return a.part[d] + b.part[d]; });
}
inline Wide operator-(Wide a, Wide b) {
  return each([&](int d) { return a.part[d] - b.part[d]; });
}
inline Wide operator*(Wide a, Wide b) {
  return each([&](int d) { return a.part[d] * b.part[d]; });
}
inline Wide operator/(Wide a, Wide b) {
  return each([&](int d) { return a.part[d] / b.part[d]; });
}
inline Wide operator+(Wide a, double b) {
  return each([&](int d) { return a.part[d] + b; });
}
inline Wide operator-(Wide a, double b) {
  return each([&](int d) { return a.part[d] - b; });
}
inline Wide operator*(double b, Wide a) {
  return each([&](int d) { return b * a.part[d]; });
}
inline Wide operator-(double b, Wide a) {
  return each([&](int d) { return b - a.part[d]; });
}
inline Wide operator-(Wide a) {
  return each([&](int d) { return -a.part[d]; });
}
inline Wide absolute(Wide a) {
  return each([&](int d) { return absolute(a.part[d]); });
}
inline Wide at_least(Wide a, double least) {
  return each([&](int d) { return larger(a.part[d], splat(least)); });
}
inline Wide at_most_one(Wide a) {
  return each([&](int d) { return a.part[d] < 1.0 ? a.part[d] : splat(1.0); });
}
inline Wide pick(Wide test, Wide if_not_negative, Wide if_negative) {
  return each([&](int d) { return test.part[d] < 0 ? if_negative.part[d] : if_not_negative.part[d]; });
}
inline double sum(Wide a) {
  Vec total = a.part[0];
  for (int d = 1; d < depth; d++) total += a.part[d];
  return sum(total);
}

// c[0] + c[1] x + ... + c[N - 1] x^(N - 1)
template <int N>
inline Wide polynomial(const double (&c)[N], Wide x) {
  Wide p = each([&](int) { return splat(c[N - 1]); });
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
inline Wide exp_of_negative(Wide x) {
  x = at_least(x, -708.0);
  Whole k[depth];
  const Wide f = each([&](int d) {
    k[d] = __builtin_convertvector(x.part[d] * 1.4426950408889634 - 0.5, Whole);
    const Vec whole = __builtin_convertvector(k[d], Vec);
    return SHRINKAGE_IN_ORDER(x.part[d] - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
  });
  const Wide tail = polynomial(exp_tail, f);
  return each([&](int d) {
    const Vec e = SHRINKAGE_IN_ORDER(tail.part[d] * f.part[d] * f.part[d] + f.part[d]) + 1.0;
    return e * from_bits((__builtin_convertvector(k[d], Mask) + 1023) << 52);
  });
}

// log(1 + z) for z in [0, 1], by 2 atanh(s) with s <= 1/3
inline Wide log_one_plus(Wide z) {
  const Wide s = z / (z + 2.0);
  return 2.0 * s * polynomial(odd_shares, s * s);
}

// log(x) for normal x > 0: of its exponent, and of its mantissa between the roots of 1/2 and 2
inline Wide log_of(Wide x) {
  Wide exponent;
  const Wide m = each([&](int d) {
    const Mask bits = bits_of(x.part[d]);
    const Vec e = __builtin_convertvector(__builtin_convertvector((bits >> 52) - 1023, Whole), Vec);
    const Vec mantissa = from_bits((bits & 0x000fffffffffffffLL) | 0x3ff0000000000000LL);
    const Mask upper = mantissa > 1.4142135623730951;
    exponent.part[d] = upper ? e + 1.0 : e;
    return upper ? mantissa * 0.5 : mantissa;
  });
  const Wide s = (m - 1.0) / (m + 1.0);
  constexpr double shares[] = {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
  return 2.0 * s * polynomial(shares, s * s) + 0.6931471805599453 * exponent;
}

#else

inline Wide exp_of_negative(Wide x) {
  return each([&](int d) { return std::exp(x.part[d] < -708.0 ? -708.0 : x.part[d]); });
}
inline Wide log_one_plus(Wide z) {
  return each([&](int d) { return std::log1p(z.part[d]); });
}
inline Wide log_of(Wide x) {
  return each([&](int d) { return std::log(x.part[d]); });
}

#endif

// A run of rows, fewer than a block at the end: those left over go through the same arithmetic as the others.
inline Wide load_rows(const double* p, Index count) {
  if (count >= block) return each([&](int d) { return load(p + d * lanes); });
  double full[block];
  for (Index l = 0; l < block; l++) full[l] = l < count ? p[l] : 0.0;
  return each([&](int d) { return load(full + d * lanes); });
}

inline void store_rows(double* p, const Wide& v, Index count) {
  if (count >= block) {
    SHRINKAGE_UNROLL
    for (int d = 0; d < depth; d++) store(p + d * lanes, v.part[d]);
    return;
  }
  double full[block];
  for (int d = 0; d < depth; d++) store(full + d * lanes, v.part[d]);
  for (Index l = 0; l < count; l++) p[l] = full[l];
}

double logistic_sweep(Index rows, const double* y, const double* v, const double* eta, const double* step, double t, double floor, double* moved,
                      double* residual, double* curvature) {
  Wide slope{};
  for (Index i = 0; i < rows; i += block) {
    const Index left = rows - i;
    const Wide d = load_rows(step + i, left), e = load_rows(eta + i, left) + t * d;
    store_rows(moved + i, e, left);
    const Wide z = exp_of_negative(-absolute(e)), share = each([&](int b) { return 1.0 / (1.0 + z.part[b]); }), rest = z * share;
    const Wide one = pick(e, share, rest), zero = pick(e, rest, share);  // the probabilities of 1 and of 0
    const Wide weight = load_rows(v + i, left), answer = load_rows(y + i, left);
    const Wide r = weight * (answer * zero - (1.0 - answer) * one);
    store_rows(residual + i, r, left);
    store_rows(curvature + i, weight * at_least(share * rest, floor), left);
    slope = slope + r * d;
  }
  return sum(slope);
}

double logistic_value(Index rows, const double* y, const double* v, const double* eta) {
  Wide total{};
  for (Index i = 0; i < rows; i += block) {
    const Index left = rows - i;
    const Wide e = load_rows(eta + i, left), answer = load_rows(y + i, left);
    // max(e, 0) - y e without cancellation: what is lost on the wrong side
    const Wide linear = (1.0 - answer) * at_least(e, 0.0) + answer * at_least(-e, 0.0);
    total = total + load_rows(v + i, left) * (linear + log_one_plus(exp_of_negative(-absolute(e))));
  }
  return sum(total);
}

double logistic_dual(Index rows, const double* v, const double* theta, const double* offset, double scale) {
  constexpr double least = 1e-300;
  Wide total{};
  for (Index i = 0; i < rows; i += block) {
    const Index left = rows - i;
    const Wide weight = load_rows(v + i, left), dual = scale * load_rows(theta + i, left);
    const Wide q = at_most_one(absolute(dual) / at_least(weight, least)), rest = 1.0 - q;
    total = total - weight * (q * log_of(at_least(q, least)) + rest * log_of(at_least(rest, least)));
    if (offset) total = total - dual * load_rows(offset + i, left);
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
