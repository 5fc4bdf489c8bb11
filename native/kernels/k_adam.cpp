#include <cmath>
#include <cstring>

#include "shrinkage/kernels.hpp"
#include "shrinkage/reals.hpp"

// Adam's step and the penalty's in one pass over memory. Plain loops: with no branch that depends on the data, the
// compiler fills its vectors with them.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// The moments after this gradient, and r = step / d, a weight's own step.
template <bool amsgrad>
inline float moments(const AdamScalars& s, float w, float gradient, float& m, float& v, float& v_max) {
  const float g = s.sign * gradient + s.weight_decay * w;
  // torch's lerp: from the nearer end
  m = s.beta1_rest < 0.5f ? m + s.beta1_rest * (g - m) : g - s.beta1 * (g - m);
  v = s.beta2 * v + s.beta2_rest * g * g;
  if (amsgrad) v_max = v > v_max ? v : v_max;
  const float d = std::sqrt(amsgrad ? v_max : v) * s.inv_root_bias + s.eps;
  return s.step / (d > s.floor ? d : s.floor);
}

template <bool amsgrad, bool ridge, class Real>
float prox_adam_run(Index count, const AdamScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict m, Real* __restrict v,
                    Real* __restrict v_max) {
  float total = 0;
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]);
    float new_m = read(m[i]), new_v = read(v[i]), most = amsgrad ? read(v_max[i]) : 0.0f;
    const float r = moments<amsgrad>(s, start, read(g[i]), new_m, new_v, most);
    total += amsgrad ? most : new_v;
    float next = soft(start * s.shrink - r * new_m, r * s.l1 + s.l1_constant);
    if (ridge) next /= 1 + (r * s.l2 + s.l2_constant);
    write(m + i, new_m);
    write(v + i, new_v);
    if (amsgrad) write(v_max + i, most);
    write(w + i, next);
  }
  return total;
}

// For w != 0 the dual variable is w + sign(w) threshold, which is never formed: no cancellation as thresholds grow.
template <bool amsgrad, bool ridge, class Real, class Dual>
float dual_adam_run(Index count, const AdamScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict m, Real* __restrict v,
                    Real* __restrict v_max, Dual* __restrict z, Dual* __restrict threshold) {
  float total = 0;
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]);
    float new_m = read(m[i]), new_v = read(v[i]), most = amsgrad ? read(v_max[i]) : 0.0f;
    const float r = moments<amsgrad>(s, start, read(g[i]), new_m, new_v, most);
    total += amsgrad ? most : new_v;
    const float added = r * s.l1 + s.l1_constant, kept = s.memory * read(threshold[i]), full = kept + added;
    const float waiting = s.memory * read(z[i]), moved = start * s.shrink - r * new_m;
    const float side = start > 0 ? 1.0f : -1.0f, ahead = side * moved;
    const float dual = moved + (start != 0 ? side * kept : waiting);
    const float over = start != 0 ? ahead - added : -1.0f;
    float next = over > 0 ? side * over : soft(dual, full);
    if (ridge) next /= 1 + (r * s.l2 + s.l2_constant);
    write(m + i, new_m);
    write(v + i, new_v);
    if (amsgrad) write(v_max + i, most);
    write(w + i, next);
    write(threshold + i, full);
    write(z + i, next != 0 ? 0.0f : dual);
  }
  return total;
}

// A sum of float32 goes over one block at most, so that it is right to six digits.
constexpr Index block = 1024;

inline Index least(Index a, Index b) {
  return a < b ? a : b;
}

template <bool amsgrad, bool ridge, class Real>
double prox_adam_blocks(Index count, const AdamArrays<Real>& a, const AdamScalars& s) {
  double total = 0;
  for (Index i = 0; i < count; i += block)
    total += prox_adam_run<amsgrad, ridge>(least(count - i, block), s, a.w + i, a.g + i, a.m + i, a.v + i, amsgrad ? a.v_max + i : nullptr);
  return total;
}

template <bool amsgrad, bool ridge, class Real, class Dual>
double dual_adam_blocks(Index count, const AdamArrays<Real, Dual>& a, const AdamScalars& s) {
  double total = 0;
  for (Index i = 0; i < count; i += block)
    total += dual_adam_run<amsgrad, ridge>(least(count - i, block), s, a.w + i, a.g + i, a.m + i, a.v + i, amsgrad ? a.v_max + i : nullptr, a.z + i,
                                           a.threshold + i);
  return total;
}

template <class Real>
double prox_adam(Index count, const AdamArrays<Real>& a, const AdamScalars& s) {
  const bool ridge = s.l2 != 0 || s.l2_constant != 0;
  if (a.v_max) return ridge ? prox_adam_blocks<true, true>(count, a, s) : prox_adam_blocks<true, false>(count, a, s);
  return ridge ? prox_adam_blocks<false, true>(count, a, s) : prox_adam_blocks<false, false>(count, a, s);
}

template <class Real, class Dual>
double dual_adam(Index count, const AdamArrays<Real, Dual>& a, const AdamScalars& s) {
  const bool ridge = s.l2 != 0 || s.l2_constant != 0;
  if (a.v_max) return ridge ? dual_adam_blocks<true, true>(count, a, s) : dual_adam_blocks<true, false>(count, a, s);
  return ridge ? dual_adam_blocks<false, true>(count, a, s) : dual_adam_blocks<false, false>(count, a, s);
}

}  // namespace

void fill_adam(Kernels& table) {
  table.prox_adam_f32 = prox_adam<float>;
  table.prox_adam_bf16 = prox_adam<Bfloat16>;
  table.dual_adam_f32 = dual_adam<float, float>;
  table.dual_adam_bf16 = dual_adam<Bfloat16, Bfloat16>;
  table.dual_adam_mixed = dual_adam<Bfloat16, float>;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
