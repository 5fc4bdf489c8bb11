#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// One pass over the rows of a logistic model, with exp and log as polynomials so that the compiler's vectors stay full.
// Everything goes through z = exp(-|eta|), which lies in (0, 1]: no overflow, and full relative precision in both tails.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

#if defined(__GNUC__) || defined(__clang__)

typedef int Short __attribute__((vector_size(lanes * sizeof(int))));

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
inline Vec exp_of_negative(Vec x) {
  x = x < -708.0 ? splat(-708.0) : x;
  const Short k = __builtin_convertvector(x * 1.4426950408889634 - 0.5, Short);
  const Vec whole = __builtin_convertvector(k, Vec);
  const Vec high = SHRINKAGE_IN_ORDER(x - whole * 6.93147180369123816490e-01);
  const Vec f = high - whole * 1.90821492927058770002e-10;
  Vec p = splat(1.0 / 6227020800);
  p = p * f + 1.0 / 479001600;
  p = p * f + 1.0 / 39916800;
  p = p * f + 1.0 / 3628800;
  p = p * f + 1.0 / 362880;
  p = p * f + 1.0 / 40320;
  p = p * f + 1.0 / 5040;
  p = p * f + 1.0 / 720;
  p = p * f + 1.0 / 120;
  p = p * f + 1.0 / 24;
  p = p * f + 1.0 / 6;
  p = p * f + 0.5;
  p = SHRINKAGE_IN_ORDER(p * f * f + f) + 1.0;
  return p * from_bits((__builtin_convertvector(k, Mask) + 1023) << 52);
}

// 2 atanh(s) / (2 s) = 1 + s^2/3 + s^4/5 + ..., cut where s^2 <= 1/9 leaves less than a unit in the last place
inline Vec atanh_series(Vec s2) {
  Vec p = splat(1.0 / 33);
  for (int odd = 31; odd >= 1; odd -= 2) p = p * s2 + 1.0 / odd;
  return p;
}

// log(1 + z) for z in [0, 1]
inline Vec log_one_plus(Vec z) {
  const Vec s = z / (z + 2.0);
  return 2.0 * s * atanh_series(s * s);
}

// log(x) for normal x > 0
inline Vec log_of(Vec x) {
  const Mask bits = bits_of(x);
  Vec exponent = __builtin_convertvector(__builtin_convertvector((bits >> 52) - 1023, Short), Vec);
  Vec m = from_bits((bits & 0x000fffffffffffffLL) | 0x3ff0000000000000LL);
  const Mask upper = m > 1.4142135623730951;
  m = upper ? m * 0.5 : m;
  exponent = upper ? exponent + 1.0 : exponent;
  const Vec s = (m - 1.0) / (m + 1.0), s2 = s * s;
  Vec p = splat(1.0 / 23);
  for (int odd = 21; odd >= 1; odd -= 2) p = p * s2 + 1.0 / odd;
  return 2.0 * s * p + exponent * 0.6931471805599453;
}

inline Vec positive_part(Vec v) {
  return v > 0 ? v : Vec{};
}
inline Vec smaller(Vec a, Vec b) {
  return a < b ? a : b;
}
inline Vec pick(Vec test, Vec if_not_negative, Vec if_negative) {
  return test < 0 ? if_negative : if_not_negative;
}

#else

inline Vec exp_of_negative(Vec x) {
  return std::exp(x < -708.0 ? -708.0 : x);
}
inline Vec log_one_plus(Vec z) {
  return std::log1p(z);
}
inline Vec log_of(Vec x) {
  return std::log(x);
}
inline Vec positive_part(Vec v) {
  return v > 0 ? v : 0.0;
}
inline Vec smaller(Vec a, Vec b) {
  return a < b ? a : b;
}
inline Vec pick(Vec test, Vec if_not_negative, Vec if_negative) {
  return test < 0 ? if_negative : if_not_negative;
}

#endif

// A run of `count` <= lanes values, padded: the rows left over go through the same arithmetic as the others.
inline Vec load_some(const double* p, Index count, double padding) {
  if (count >= lanes) return load(p);
  double full[lanes];
  for (int l = 0; l < lanes; l++) full[l] = l < count ? p[l] : padding;
  return load(full);
}

inline void store_some(double* p, Vec v, Index count) {
  if (count >= lanes) {
    store(p, v);
    return;
  }
  double full[lanes];
  store(full, v);
  for (int l = 0; l < count; l++) p[l] = full[l];
}

double logistic_sweep(Index rows, const double* y, const double* v, const double* eta, const double* step, double t, double floor, double* moved,
                      double* residual, double* curvature) {
  Vec slope{};
  for (Index i = 0; i < rows; i += lanes) {
    const Index left = rows - i;
    const Vec weight = load_some(v + i, left, 0), answer = load_some(y + i, left, 0), d = load_some(step + i, left, 0);
    const Vec e = load_some(eta + i, left, 0) + t * d;
    const Vec z = exp_of_negative(-absolute(e)), share = 1.0 / (1.0 + z), rest = z * share;
    const Vec one = pick(e, share, rest), zero = pick(e, rest, share);  // the probabilities of 1 and of 0
    const Vec r = weight * (answer * zero - (1.0 - answer) * one);
    store_some(moved + i, e, left);
    store_some(residual + i, r, left);
    store_some(curvature + i, weight * larger(share * rest, splat(floor)), left);
    slope += r * d;
  }
  return sum(slope);
}

double logistic_value(Index rows, const double* y, const double* v, const double* eta) {
  Vec total{};
  for (Index i = 0; i < rows; i += lanes) {
    const Index left = rows - i;
    const Vec e = load_some(eta + i, left, 0), answer = load_some(y + i, left, 0);
    // max(e, 0) - y e without cancellation: what is lost on the wrong side
    const Vec linear = (1.0 - answer) * positive_part(e) + answer * positive_part(-e);
    total += load_some(v + i, left, 0) * (linear + log_one_plus(exp_of_negative(-absolute(e))));
  }
  return sum(total);
}

double logistic_dual(Index rows, const double* v, const double* theta, const double* offset, double scale) {
  const Vec least = splat(1e-300);
  Vec total{};
  for (Index i = 0; i < rows; i += lanes) {
    const Index left = rows - i;
    const Vec weight = load_some(v + i, left, 0), dual = scale * load_some(theta + i, left, 0);
    const Vec q = smaller(absolute(dual) / larger(weight, least), splat(1.0)), rest = 1.0 - q;
    total -= weight * (q * log_of(larger(q, least)) + rest * log_of(larger(rest, least)));
    if (offset) total -= dual * load_some(offset + i, left, 0);
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
