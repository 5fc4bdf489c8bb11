#pragma once
#include <cstring>

// The widest vector of floats or doubles that the instruction set being compiled has, through GCC's and Clang's vector
// extensions; one lane elsewhere. Only for native/kernels/k_*.cpp: every name lives in the namespace of one instruction
// set and has internal linkage.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

#if defined(__GNUC__) || defined(__clang__)

#if defined(__AVX512F__)
constexpr int lane_bytes = 64;
#elif defined(__AVX2__)
constexpr int lane_bytes = 32;
#else
constexpr int lane_bytes = 16;
#endif

template <class Real>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float Vec __attribute__((vector_size(lane_bytes)));
};
template <>
struct Lanes<double> {
  typedef double Vec __attribute__((vector_size(lane_bytes)));
};

template <class Real>
using LanesOf = typename Lanes<Real>::Vec;

template <class Real>
constexpr int width = lane_bytes / static_cast<int>(sizeof(Real));

#else

template <class Real>
using LanesOf = Real;

template <class Real>
constexpr int width = 1;

#endif

template <class Real>
inline LanesOf<Real> lanes_at(const Real* p) {
  LanesOf<Real> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// the first `count` numbers at p, zero in the other lanes
template <class Real>
inline LanesOf<Real> lanes_at(const Real* p, std::int64_t count) {
  if (count >= width<Real>) return lanes_at(p);
  LanesOf<Real> v{};
  std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(Real));
  return v;
}

template <class Real>
inline void put(Real* p, LanesOf<Real> v) {
  std::memcpy(p, &v, sizeof v);
}

template <class Real>
inline void put(Real* p, LanesOf<Real> v, std::int64_t count) {
  std::memcpy(p, &v, count >= width<Real> ? sizeof v : static_cast<std::size_t>(count) * sizeof(Real));
}

template <class Real>
inline LanesOf<Real> all_lanes(Real x) {
  return LanesOf<Real>{} + x;
}

}  // namespace
}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
