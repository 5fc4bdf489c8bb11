#pragma once
#include <cstdint>
#include <cstring>

// The widest vector of doubles that the instruction set being compiled has, through GCC's and Clang's vector
// extensions; one lane elsewhere. Only for native/kernels/k_*.cpp: every name lives in the namespace of one
// instruction set and has internal linkage.
// An array of vectors stays in registers only if every loop over it is unrolled.
#if defined(__GNUC__) || defined(__clang__)
#define SHRINKAGE_UNROLL _Pragma("GCC unroll 8")
#else
#define SHRINKAGE_UNROLL
#endif

namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

#if defined(__GNUC__) || defined(__clang__)

#if defined(__AVX512F__)
constexpr int lanes = 8;
#elif defined(__AVX2__)
constexpr int lanes = 4;
#else
constexpr int lanes = 2;
#endif

typedef double Vec __attribute__((vector_size(lanes * sizeof(double))));
typedef double Vec4 __attribute__((vector_size(4 * sizeof(double))));
typedef double Vec2 __attribute__((vector_size(2 * sizeof(double))));
typedef float Narrow __attribute__((vector_size(lanes * sizeof(float))));
typedef std::int64_t Mask __attribute__((vector_size(lanes * sizeof(double))));

inline Vec load(const double* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline Vec load(const float* p) {
  Narrow v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Vec);
}

inline void store(double* p, Vec v) { std::memcpy(p, &v, sizeof v); }

inline Vec splat(double x) { return Vec{} + x; }

// the last `count` lanes of v, zero in the others
inline Vec last_lanes(Vec v, int count) {
  Mask lane;
  for (int l = 0; l < lanes; l++) lane[l] = l;
  return lane >= static_cast<std::int64_t>(lanes - count) ? v : Vec{};
}

inline Vec absolute(Vec v) { return v < Vec{} ? -v : v; }

// lane by lane; a NaN in `a` is dropped
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }

// Is a lane infinite or not a number? Read from the bits: with -fno-signed-zeros GCC folds the vector v * 0.0 to 0.
inline Mask not_finite(Vec v) {
  const Mask exponent = Mask{} + 0x7ff0000000000000;
  Mask bits;
  std::memcpy(&bits, &v, sizeof bits);
  return (bits & exponent) == exponent;
}

inline bool any(Mask m) {
  std::int64_t found = 0;
  for (int l = 0; l < lanes; l++) found |= m[l];
  return found != 0;
}

// by halves where the compiler can take them; memcpy would force the vector out of its register
inline double sum(Vec v) {
#if defined(__has_builtin) && (defined(__AVX512F__) || defined(__AVX2__))
#if __has_builtin(__builtin_shufflevector)
#if defined(__AVX512F__)
  const Vec4 four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  const Vec4 four = v;
#endif
  const Vec2 two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
  return two[0] + two[1];
#endif
#endif
  double total = v[0];
  for (int l = 1; l < lanes; l++) total += v[l];
  return total;
}

// hints that the line at p is wanted soon
inline void fetch(const void* p) { __builtin_prefetch(p, 0, 2); }

inline double largest(Vec v) {
  double m = v[0];
  for (int l = 1; l < lanes; l++) m = v[l] > m ? v[l] : m;
  return m;
}

#else

constexpr int lanes = 1;
typedef double Vec;
typedef bool Mask;
inline Vec load(const double* p) { return *p; }
inline Vec load(const float* p) { return *p; }
inline void store(double* p, Vec v) { *p = v; }
inline Vec splat(double x) { return x; }
inline Vec last_lanes(Vec v, int) { return v; }
inline Vec absolute(Vec v) { return v < Vec{} ? -v : v; }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
inline Mask not_finite(Vec v) { return !(v - v == 0); }
inline bool any(Mask m) { return m; }
inline double sum(Vec v) { return v; }
inline void fetch(const void*) {}
inline double largest(Vec v) { return v; }

#endif

}  // namespace
}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
