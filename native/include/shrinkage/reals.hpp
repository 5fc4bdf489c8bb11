#pragma once
#include <cstdint>
#include <cstring>

#include "shrinkage/step_kernels.hpp"

// float32 arithmetic on what is stored as float32 or bfloat16. Only for native/kernels/k_*.cpp: every name lives in the
// namespace of one instruction set and has internal linkage.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

inline float read(float x) { return x; }

inline float read(Bfloat16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline void write(float* p, float x) { *p = x; }

// to nearest, ties to even; a NaN stays one
inline void write(Bfloat16* p, float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  p->bits = static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

// sign(z) max(|z| - a, 0) for a >= 0; exactly z where a = 0, NaN where z is
inline float soft(float z, float a) {
  const float low = z > -a ? z : -a;
  return z - (low < a ? low : a);
}

}  // namespace
}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
