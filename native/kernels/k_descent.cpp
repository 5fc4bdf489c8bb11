#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// Coordinate descent on residuals for eight strengths at once; see descent_kernels.hpp for what the arrays hold.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// eight lanes in registers
struct Eight {
  static constexpr int vectors = descent_lanes / lanes;
  Vec v[vectors];
};

inline Eight eight(double x) {
  Eight a;
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) a.v[i] = splat(x);
  return a;
}

inline Eight load_eight(const double* p) {
  Eight a;
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) a.v[i] = load(p + i * lanes);
  return a;
}

inline void store_eight(double* p, const Eight& a) {
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) store(p + i * lanes, a.v[i]);
}

#define SHRINKAGE_LANEWISE(op)                                          \
  inline Eight operator op(const Eight& a, const Eight& b) {            \
    Eight c;                                                            \
    SHRINKAGE_UNROLL                                                    \
    for (int i = 0; i < Eight::vectors; i++) c.v[i] = a.v[i] op b.v[i]; \
    return c;                                                           \
  }
SHRINKAGE_LANEWISE(+)
SHRINKAGE_LANEWISE(-)
SHRINKAGE_LANEWISE(*)
SHRINKAGE_LANEWISE(/)
#undef SHRINKAGE_LANEWISE

inline Eight magnitude(const Eight& a) {
  Eight c;
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) c.v[i] = absolute(a.v[i]);
  return c;
}

inline Eight most(const Eight& a, const Eight& b) {
  Eight c;
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) c.v[i] = larger(a.v[i], b.v[i]);
  return c;
}

// is a lane of a larger than that of b?
inline bool any_larger(const Eight& a, const Eight& b) {
  Mask found = a.v[0] > b.v[0];
  SHRINKAGE_UNROLL
  for (int i = 1; i < Eight::vectors; i++) found |= a.v[i] > b.v[i];
  return any(found);
}

// sign(z) max(|z| - threshold, 0)
inline Eight shrunk(const Eight& z, const Eight& threshold) {
  Eight c;
  SHRINKAGE_UNROLL
  for (int i = 0; i < Eight::vectors; i++) c.v[i] = z.v[i] - larger(-threshold.v[i], z.v[i] < threshold.v[i] ? z.v[i] : threshold.v[i]);
  return c;
}

// (x_j - Q q_j)'r for the residuals r
inline Eight correlation(const DescentColumns& X, Index j, const DescentState& at) {
  const int* row = X.row;
  const double *value = X.value, *residual = at.residual;
  Eight even = eight(0), odd = eight(0);
  const Index end = X.start[j + 1];
  Index k = X.start[j];
  for (; k + 2 <= end; k += 2) {
    even = even + eight(value[k]) * load_eight(residual + Index(descent_lanes) * row[k]);
    odd = odd + eight(value[k + 1]) * load_eight(residual + Index(descent_lanes) * row[k + 1]);
  }
  if (k < end) even = even + eight(value[k]) * load_eight(residual + Index(descent_lanes) * row[k]);
  for (int r = 0; r < X.rank; r++) odd = odd + eight(X.explained[j * X.rank + r]) * load_eight(at.offset + r * descent_lanes);
  return even + odd;
}

// The residuals when b_j has grown by d. Pointers are local: the compiler must think that stores to rows could change the structs.
inline void move_by(const DescentColumns& X, Index j, const Eight& d, const DescentState& at) {
  const int* row = X.row;
  const double* value = X.value;
  double *residual = at.residual, *offset = at.offset;
  const Index end = X.start[j + 1];
  const int rank = X.rank;
  const double* explained = X.explained + j * rank;
  Index k = X.start[j];
  for (; k + 2 <= end; k += 2) {  // a row comes once in a column, so the second may be read before the first is written
    double *first = residual + Index(descent_lanes) * row[k], *second = residual + Index(descent_lanes) * row[k + 1];
    const Eight a = load_eight(first) - eight(value[k]) * d, b = load_eight(second) - eight(value[k + 1]) * d;
    store_eight(first, a);
    store_eight(second, b);
  }
  if (k < end) {
    double* last = residual + Index(descent_lanes) * row[k];
    store_eight(last, load_eight(last) - eight(value[k]) * d);
  }
  for (int r = 0; r < rank; r++) store_eight(offset + r * descent_lanes, load_eight(offset + r * descent_lanes) + eight(explained[r]) * d);
}

void sweep(const DescentColumns& X, const int* list, Index count, const DescentState& at) {
  const Eight strength = load_eight(at.strength), ridge = load_eight(at.ridge), zero = eight(0);
  for (Index a = 0; a < count; a++) {
    const Index j = list[a];
    double* coef = at.coef + j * descent_lanes;
    const Eight square = eight(X.square[j]), old = load_eight(coef);
    const Eight target = shrunk(correlation(X, j, at) + square * old, strength * eight(X.l1[j])) / (square + ridge * eight(X.l2[j]));
    const Eight d = target - old;
    if (!any_larger(magnitude(d), zero)) continue;
    store_eight(coef, target);
    move_by(X, j, d, at);
  }
}

void check(const DescentColumns& X, Index count, const DescentState& at, double margin, bool* picked, DescentReading* reading) {
  const Eight strength = load_eight(at.strength), half_ridge = load_eight(at.ridge) * eight(0.5), zero = eight(0);
  Eight ratio = zero, conjugate = zero, penalty = zero;
  for (Index j = 0; j < count; j++) {
    picked[j] = false;
    if (!(X.square[j] > 0)) continue;
    const Eight size = magnitude(correlation(X, j, at)), b = load_eight(at.coef + j * descent_lanes), absolute_b = magnitude(b);
    const Eight threshold = strength * eight(X.l1[j]), over = most(size - threshold, zero);
    ratio = most(ratio, size * eight(1 / X.l1[j]));
    conjugate = conjugate + over * over * eight(1 / X.l2[j]);
    penalty = penalty + threshold * absolute_b + half_ridge * eight(X.l2[j]) * b * b;
    picked[j] = any_larger(absolute_b, zero) || any_larger(size, threshold * eight(margin));
  }
  store_eight(reading->ratio, ratio);
  store_eight(reading->conjugate, conjugate);
  store_eight(reading->penalty, penalty);
}

void move(const DescentColumns& X, const int* list, Index count, const double* change, const DescentState& at) {
  const Eight zero = eight(0);
  for (Index a = 0; a < count; a++) {
    const Eight d = load_eight(change + a * descent_lanes);
    if (any_larger(magnitude(d), zero)) move_by(X, list[a], d, at);
  }
}

void penalty(const DescentColumns& X, const int* list, Index count, const double* coef, const double* strength, const double* ridge, double* value) {
  Eight first = eight(0), second = eight(0);
  for (Index a = 0; a < count; a++) {
    const Eight b = load_eight(coef + a * descent_lanes);
    first = first + magnitude(b) * eight(X.l1[list[a]]);
    second = second + b * b * eight(X.l2[list[a]]);
  }
  store_eight(value, load_eight(strength) * first + eight(0.5) * load_eight(ridge) * second);
}

// squares = |r|^2, agreement = y'r with r = residual + Q offset; Q (rows x rank) row-major
void moments(Index rows, const double* residual, const double* Q, int rank, const double* offset, const double* y, double* squares,
             double* agreement) {
  Eight square = eight(0), along = eight(0);
  for (Index i = 0; i < rows; i++) {
    Eight r = load_eight(residual + i * descent_lanes);
    for (int q = 0; q < rank; q++) r = r + eight(Q[i * rank + q]) * load_eight(offset + q * descent_lanes);
    square = square + r * r;
    along = along + eight(y[i]) * r;
  }
  store_eight(squares, square);
  store_eight(agreement, along);
}

// products[u, v] (v <= u, row by row) = d_u'd_v with d_u = history[u + 1] - history[u], lane by lane; history (m + 1, count, lanes)
void step_products(const double* history, Index count, double* products) {
  constexpr int m = descent_memory;
  const Index stride = count * descent_lanes;
  Eight sums[m * (m + 1) / 2];
  for (Eight& s : sums) s = eight(0);
  for (Index a = 0; a < stride; a += descent_lanes) {
    Eight d[m], last = load_eight(history + a);
    for (int u = 0; u < m; u++) {
      const Eight next = load_eight(history + (u + 1) * stride + a);
      d[u] = next - last;
      last = next;
    }
    for (int u = 0, k = 0; u < m; u++)
      for (int v = 0; v <= u; v++, k++) sums[k] = sums[k] + d[u] * d[v];
  }
  for (int k = 0; k < m * (m + 1) / 2; k++) store_eight(products + k * descent_lanes, sums[k]);
}

// out = sum_u shares[u] history[u + 1]
void combine_steps(const double* history, Index count, const double* shares, double* out) {
  const Index stride = count * descent_lanes;
  for (Index a = 0; a < stride; a += descent_lanes) {
    Eight s = eight(0);
    for (int u = 0; u < descent_memory; u++) s = s + load_eight(shares + u * descent_lanes) * load_eight(history + (u + 1) * stride + a);
    store_eight(out + a, s);
  }
}

}  // namespace

void fill_descent(Kernels& table) {
  table.descent_sweep = sweep;
  table.descent_check = check;
  table.descent_move = move;
  table.descent_penalty = penalty;
  table.descent_moments = moments;
  table.descent_step_products = step_products;
  table.descent_combine_steps = combine_steps;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
