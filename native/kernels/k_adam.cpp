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

enum Shape { lasso, elastic_net, mcp, scad };

// The prox of z for a weight's own step and its factor. On a bend floors keep the problem convex.
template <Shape shape>
inline float shrunk(const AdamScalars& s, float z, float r, float factor) {
  const float limit = (r * s.l1 + s.l1_constant) * factor;
  if (shape == lasso) return soft(z, limit);
  if (shape == elastic_net) return soft(z, limit) / (1 + (r * s.l2 + s.l2_constant) * factor);
  const float size = z > 0 ? z : -z, over = soft(size, limit), slope = 1 - r * s.concavity, knot = s.lambda * factor;
  const float curved = shape == mcp ? over / slope : over > knot ? knot + (over - knot) / slope : over;
  const float low = curved < size ? curved : size;  // against rounding where the slope is near 0
  const float next = z > 0 ? low : 0 - low;
  return size <= s.edge * factor ? next : z;
}

template <bool amsgrad, Shape shape, bool factored, class Real>
float prox_adam_run(Index count, const AdamScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict m, Real* __restrict v,
                    Real* __restrict v_max, const float* __restrict factors) {
  float total = 0;
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]);
    float new_m = read(m[i]), new_v = read(v[i]), most = amsgrad ? read(v_max[i]) : 0.0f;
    const float r = moments<amsgrad>(s, start, read(g[i]), new_m, new_v, most);
    total += amsgrad ? most : new_v;
    write(m + i, new_m);
    write(v + i, new_v);
    if (amsgrad) write(v_max + i, most);
    write(w + i, shrunk<shape>(s, start * s.shrink - r * new_m, r, factored ? factors[i] : 1.0f));
  }
  return total;
}

// For w != 0 the dual variable is w + sign(w) threshold, which is never formed: no cancellation as thresholds grow.
template <bool amsgrad, bool ridge, bool factored, class Real, class Dual>
float dual_adam_run(Index count, const AdamScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict m, Real* __restrict v,
                    Real* __restrict v_max, Dual* __restrict z, Dual* __restrict threshold, const float* __restrict factors) {
  float total = 0;
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]);
    float new_m = read(m[i]), new_v = read(v[i]), most = amsgrad ? read(v_max[i]) : 0.0f;
    const float r = moments<amsgrad>(s, start, read(g[i]), new_m, new_v, most);
    total += amsgrad ? most : new_v;
    const float factor = factored ? factors[i] : 1.0f;
    const float added = (r * s.l1 + s.l1_constant) * factor, kept = s.memory * read(threshold[i]), full = kept + added;
    const float waiting = s.memory * read(z[i]), moved = start * s.shrink - r * new_m;
    const float side = start > 0 ? 1.0f : -1.0f, ahead = side * moved;
    const float dual = moved + (start != 0 ? side * kept : waiting);
    const float over = start != 0 ? ahead - added : -1.0f;
    float next = over > 0 ? side * over : soft(dual, full);
    if (ridge) next /= 1 + (r * s.l2 + s.l2_constant) * factor;
    write(m + i, new_m);
    write(v + i, new_v);
    if (amsgrad) write(v_max + i, most);
    write(w + i, next);
    write(threshold + i, full);
    write(z + i, next != 0 ? 0.0f : dual);
  }
  return total;
}

// A sum of float32 goes over one stripe at most. Stripes also space out the requests for memory.
constexpr Index stripe = 64;

inline Index least(Index a, Index b) {
  return a < b ? a : b;
}

// Asks for a stripe some way ahead: where a page ends the hardware loses its streams, and here are many.
template <class Real>
inline void ask_ahead(const Real* x) {
#if defined(__GNUC__) || defined(__clang__)
  constexpr Index line = 64 / sizeof(Real), ahead = 32 * line;
  for (Index i = 0; i < stripe; i += line) __builtin_prefetch(x + ahead + i, 0, 3);
#endif
}

template <bool amsgrad, Shape shape, bool factored, class Real>
double prox_adam_stripes(Index count, const AdamArrays<Real>& a, const AdamScalars& s) {
  double total = 0;
  for (Index i = 0; i < count; i += stripe) {
    ask_ahead(a.w + i);
    ask_ahead(a.g + i);
    ask_ahead(a.m + i);
    ask_ahead(a.v + i);
    total += prox_adam_run<amsgrad, shape, factored>(least(count - i, stripe), s, a.w + i, a.g + i, a.m + i, a.v + i, amsgrad ? a.v_max + i : nullptr,
                                                     factored ? a.factors + i : nullptr);
  }
  return total;
}

template <bool amsgrad, bool ridge, bool factored, class Real, class Dual>
double dual_adam_stripes(Index count, const AdamArrays<Real, Dual>& a, const AdamScalars& s) {
  double total = 0;
  for (Index i = 0; i < count; i += stripe) {
    ask_ahead(a.w + i);
    ask_ahead(a.g + i);
    ask_ahead(a.m + i);
    ask_ahead(a.v + i);
    ask_ahead(a.z + i);
    ask_ahead(a.threshold + i);
    total += dual_adam_run<amsgrad, ridge, factored>(least(count - i, stripe), s, a.w + i, a.g + i, a.m + i, a.v + i, amsgrad ? a.v_max + i : nullptr,
                                                     a.z + i, a.threshold + i, factored ? a.factors + i : nullptr);
  }
  return total;
}

template <bool amsgrad, class Real>
double prox_adam_of(Index count, const AdamArrays<Real>& a, const AdamScalars& s) {
  if (s.bend == Bend::mcp)
    return (a.factors ? prox_adam_stripes<amsgrad, mcp, true, Real> : prox_adam_stripes<amsgrad, mcp, false, Real>)(count, a, s);
  if (s.bend == Bend::scad)
    return (a.factors ? prox_adam_stripes<amsgrad, scad, true, Real> : prox_adam_stripes<amsgrad, scad, false, Real>)(count, a, s);
  if (a.factors) return prox_adam_stripes<amsgrad, elastic_net, true>(count, a, s);
  const bool ridge = s.l2 != 0 || s.l2_constant != 0;
  return (ridge ? prox_adam_stripes<amsgrad, elastic_net, false, Real> : prox_adam_stripes<amsgrad, lasso, false, Real>)(count, a, s);
}

template <bool amsgrad, class Real, class Dual>
double dual_adam_of(Index count, const AdamArrays<Real, Dual>& a, const AdamScalars& s) {
  if (a.factors) return dual_adam_stripes<amsgrad, true, true>(count, a, s);
  const bool ridge = s.l2 != 0 || s.l2_constant != 0;
  return (ridge ? dual_adam_stripes<amsgrad, true, false, Real, Dual> : dual_adam_stripes<amsgrad, false, false, Real, Dual>)(count, a, s);
}

template <class Real>
double prox_adam(Index count, const AdamArrays<Real>& a, const AdamScalars& s) {
  return a.v_max ? prox_adam_of<true>(count, a, s) : prox_adam_of<false>(count, a, s);
}

template <class Real, class Dual>
double dual_adam(Index count, const AdamArrays<Real, Dual>& a, const AdamScalars& s) {
  return a.v_max ? dual_adam_of<true>(count, a, s) : dual_adam_of<false>(count, a, s);
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
