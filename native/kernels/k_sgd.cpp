#include "shrinkage/kernels.hpp"
#include "shrinkage/reals.hpp"

// The step of stochastic gradient descent and the penalty's in one pass over memory; see k_adam.cpp.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// The direction of the step; the buffer as torch keeps it, with the gradient alone at its first step.
template <bool momentum>
inline float direction(const SgdScalars& s, float w, float gradient, float& buffer) {
  const float g = s.sign * gradient + s.weight_decay * w;
  if (!momentum) return g;
  const float moved = s.momentum * buffer + s.rest * g;
  buffer = s.first ? g : moved;
  return s.nesterov ? g + s.momentum * buffer : buffer;
}

template <bool momentum, bool factored, class Real>
void prox_sgd_run(Index count, const SgdScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict buffer,
                  const float* __restrict factors) {
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]);
    float kept = momentum ? read(buffer[i]) : 0.0f;
    const float u = direction<momentum>(s, start, read(g[i]), kept);
    if (momentum) write(buffer + i, kept);
    const float factor = factored ? factors[i] : 1.0f;
    write(w + i, soft(start - s.lr * u, s.l1 * factor) / (1 + s.l2 * factor));
  }
}

// For w != 0 the dual variable is w + sign(w) threshold, which is never formed.
template <bool momentum, class Real, class Dual>
void dual_sgd_run(Index count, const SgdScalars s, Real* __restrict w, const Real* __restrict g, Real* __restrict buffer, Dual* __restrict z) {
  const float full = s.threshold + s.l1;
  for (Index i = 0; i < count; i++) {
    const float start = read(w[i]), waiting = s.memory * read(z[i]);
    float kept = momentum ? read(buffer[i]) : 0.0f;
    const float u = direction<momentum>(s, start, read(g[i]), kept);
    if (momentum) write(buffer + i, kept);
    const float moved = start - s.lr * u, side = start > 0 ? 1.0f : -1.0f;
    const float dual = start != 0 ? side * s.threshold + moved : waiting - s.lr * u;
    const float over = start != 0 ? side * moved - s.l1 : -1.0f;
    const float next = (over > 0 ? side * over : soft(dual, full)) / (1 + s.l2);
    write(w + i, next);
    write(z + i, next != 0 ? 0.0f : dual);
  }
}

template <bool factored, class Real>
void prox_sgd_of(Index count, const SgdArrays<Real>& a, const SgdScalars& s) {
  if (a.buffer) return prox_sgd_run<true, factored>(count, s, a.w, a.g, a.buffer, a.factors);
  prox_sgd_run<false, factored, Real>(count, s, a.w, a.g, nullptr, a.factors);
}

template <class Real>
void prox_sgd(Index count, const SgdArrays<Real>& a, const SgdScalars& s) {
  a.factors ? prox_sgd_of<true>(count, a, s) : prox_sgd_of<false>(count, a, s);
}

template <class Real, class Dual>
void dual_sgd(Index count, const SgdArrays<Real, Dual>& a, const SgdScalars& s) {
  if (a.buffer) return dual_sgd_run<true>(count, s, a.w, a.g, a.buffer, a.z);
  dual_sgd_run<false, Real>(count, s, a.w, a.g, nullptr, a.z);
}

}  // namespace

void fill_sgd(Kernels& table) {
  table.prox_sgd_f32 = prox_sgd<float>;
  table.prox_sgd_bf16 = prox_sgd<Bfloat16>;
  table.dual_sgd_f32 = dual_sgd<float, float>;
  table.dual_sgd_bf16 = dual_sgd<Bfloat16, Bfloat16>;
  table.dual_sgd_mixed = dual_sgd<Bfloat16, float>;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
