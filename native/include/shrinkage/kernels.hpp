#pragma once
#include <cstdint>

#include "shrinkage/descent_kernels.hpp"
#include "shrinkage/group_kernels.hpp"
#include "shrinkage/step_kernels.hpp"

// The hot loops, as plain functions on pointers. Each is compiled once per instruction set (native/kernels/k_*.cpp)
// and reached through one table, filled once. No STL, no exceptions: an ODR clash between instruction sets
// would let a machine without AVX-512 run AVX-512 code.
namespace shrinkage {

using Index = std::int64_t;

constexpr int substitute_sides = 32;  // that `substitute` takes at once

// some columns of a matrix of compressed columns: those listed in `features`, or `count` from `first` where it is null
template <class Real>
struct CscColumns {
  const Index* indptr;
  const int* indices;
  const Real* data;
  const Index* features;
  Index first, count;
};

// how dual points between certified ones follow from these: theta_t = sum_k shares[k, t] knot_k + a rest of length rest_t
struct Between {
  Index knots, strengths;
  const double* shares;  // (knots x strengths), column-major
  const double* rest;    // (strengths)
  const double* limit;   // (strengths)
};

struct Kernels {
  const char* isa;

  // --- k_quadratic.cpp: columns of a column-major matrix picked by index -------------------------------------------
  // out[k] = sum_i G[i, columns[k]] * x[i]
  void (*picked_dots)(const double* G, Index ld, Index rows, const int* columns, Index count, const double* x, double* out);
  // y[i] -= sum_k coefficients[k] * G[i, columns[k]]
  void (*subtract_columns)(const double* G, Index ld, Index rows, const int* columns, Index count, const double* coefficients, double* y);

  // --- k_factor.cpp: one column of a triangular factor and the columns that were taken out of it -----------------------
  // row by row, x = from[i]; for q < count: (x, carried[i + q ld]) = (c[q] x + s[q] l, c[q] l - s[q] x), l = carried[i + q ld];
  // into[i] = x; `into` may not lie behind `from` by less than the rows
  void (*rotate)(Index rows, int count, const double* c, const double* s, const double* from, double* into, double* carried, Index ld);
  // B (rows x count, count <= substitute_sides) = L^-1 B, L lower; reads L once and copies nothing
  void (*substitute)(Index rows, const double* L, Index ld, int count, double* B, Index ldb);

  // x (rows) = L^-T x; reads L once
  void (*substitute_back)(Index rows, const double* L, Index ld, double* x);

  // --- k_products.cpp: X'R for a narrow R (k columns), into C which is added to --------------------------------------
  // C[j + t ldc] += sum_i X[i + j ldx] R[i + t ldr]
  void (*dots)(const double* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc);
  void (*dots_f32)(const float* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc);
  // C[j + t ldc] += sum_i X[i ldx + j] R[i + t ldr]
  void (*row_dots)(const double* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc);
  void (*row_dots_f32)(const float* X, Index ldx, Index rows, Index columns, const double* R, Index ldr, Index k, double* C, Index ldc);
  // first, second (p x k) += sum_i w[i + t ldw] d, sum_i w[i + t ldw] d^2 with d = X[i + j ldx] - center[j + t p]; w null: ones
  void (*deviations)(const double* X, Index ldx, Index rows, Index columns, const double* w, Index ldw, Index k, const double* center, double* first,
                     double* second, Index p);

  // --- k_moments.cpp: a panel of rows D whose columns are packed in groups of `group`, row by row in each, with zeros at the end ---
  int group;
  // row i of one group: root[i] (row - sum_k free[i k_all + k] removed[k stride + ...])
  void (*settle_rows)(double* rows, Index count, const double* free, Index k_all, const double* removed, Index stride, const double* root);
  // C (lower triangle, size x size) += D'D; what stands above the diagonal afterwards means nothing
  void (*add_squares)(const double* packed, Index rows, Index size, double* C);

  // --- k_scan.cpp: what a certificate reads off a block of correlations ----------------------------------------------
  void (*ratios)(const double* c, const double* inv, const double* inv_outside, Index columns, double* ratio, double* outside);
  double (*conjugate)(const double* c, const double* l1, const double* inv_l2, double strength, Index columns);
  void (*violations)(const double* c, const double* inv_outside, Index columns, double limit, double strength, int t, int* first, double* excess);

  // --- k_between.cpp ----------------------------------------------------------------------------------------------
  // reached[j] = is (|sum_k C[j + k ldc] shares[k, t]| + norm_j rest_t) inv_j >= limit_t at some t, or not a number?
  void (*reaches)(const double* C, Index ldc, Index columns, const Between& between, const double* norm, const double* inv, bool* reached);

  // --- k_csc.cpp: compressed columns and a row-major panel (rows x width; width 1, 2, 4, 8, 16 or 32) -------------------
  // C[a across + t down] = sum_i X[i, a] panel[i width + t] for t < used
  void (*csc_dots)(const CscColumns<double>& X, const double* panel, int width, int used, double* C, Index across, Index down);
  void (*csc_dots_f32)(const CscColumns<float>& X, const double* panel, int width, int used, double* C, Index across, Index down);
  // panel[i width + t] += sum_a X[i, a] B[a + t ldb] for t < used
  void (*csc_spread)(const CscColumns<double>& X, const double* B, Index ldb, int width, int used, double* panel);
  void (*csc_spread_f32)(const CscColumns<float>& X, const double* B, Index ldb, int width, int used, double* panel);

  // --- k_descent.cpp: coordinate descent on residuals, eight strengths side by side (descent_kernels.hpp) -----------------
  // each coordinate of `list` to its minimizer, one after the other
  void (*descent_sweep)(const DescentColumns& X, const int* list, Index count, const DescentState& at);
  // reads all columns; picked[j]: b_j is not zero, or |c_j| > margin strength l1_j, in some lane
  void (*descent_check)(const DescentColumns& X, Index count, const DescentState& at, double margin, bool* picked, DescentReading* reading);
  // residual and offset when coefficient list[a] has grown by change[a] (lanes each)
  void (*descent_move)(const DescentColumns& X, const int* list, Index count, const double* change, const DescentState& at);
  // of the coefficients coef[a] of columns list[a] (lanes each)
  void (*descent_penalty)(const DescentColumns& X, const int* list, Index count, const double* coef, const double* strength, const double* ridge,
                          double* value);
  // squares = |r|^2, agreement = y'r with r = residual + Q offset; Q (rows x rank) row-major
  void (*descent_moments)(Index rows, const double* residual, const double* Q, int rank, const double* offset, const double* y, double* squares,
                          double* agreement);
  // products (lanes each) of the steps d_u between successive coefficients, (u, v <= u) row by row; history (memory + 1, count, lanes)
  void (*descent_step_products)(const double* history, Index count, double* products);
  // out = sum_u shares[u] history[u + 1]
  void (*descent_combine_steps)(const double* history, Index count, const double* shares, double* out);

  // --- k_sweeps.cpp: one pass over the rows of a logistic model; v the rows' weights, p = 1 / (1 + exp(-eta)) -----------
  // moved = eta + t step, then at moved: residual = v (y - p), curvature = v max(p (1 - p), floor); returns residual'step
  double (*logistic_sweep)(Index rows, const double* y, const double* v, const double* eta, const double* step, double t, double floor, double* moved,
                           double* residual, double* curvature);
  // sum v (log(1 + exp(eta)) - y eta)
  double (*logistic_value)(Index rows, const double* y, const double* v, const double* eta);
  // sum v H(|u|) - v u offset with v u = scale theta and H(q) = -q log q - (1 - q) log(1 - q); offset may be null
  double (*logistic_dual)(Index rows, const double* v, const double* theta, const double* offset, double scale);

  // --- k_adam.cpp: Adam's moments and the penalty's step; returns the sum of v (of v_max with amsgrad) -------------------
  double (*prox_adam_f32)(Index count, const AdamArrays<float>& arrays, const AdamScalars& scalars);
  double (*prox_adam_bf16)(Index count, const AdamArrays<Bfloat16>& arrays, const AdamScalars& scalars);
  double (*dual_adam_f32)(Index count, const AdamArrays<float>& arrays, const AdamScalars& scalars);
  double (*dual_adam_bf16)(Index count, const AdamArrays<Bfloat16>& arrays, const AdamScalars& scalars);
  double (*dual_adam_mixed)(Index count, const AdamArrays<Bfloat16, float>& arrays, const AdamScalars& scalars);

  // --- k_sgd.cpp: the step with its momentum and the penalty's -------------------------------------------------------
  void (*prox_sgd_f32)(Index count, const SgdArrays<float>& arrays, const SgdScalars& scalars);
  void (*prox_sgd_bf16)(Index count, const SgdArrays<Bfloat16>& arrays, const SgdScalars& scalars);
  void (*dual_sgd_f32)(Index count, const SgdArrays<float>& arrays, const SgdScalars& scalars);
  void (*dual_sgd_bf16)(Index count, const SgdArrays<Bfloat16>& arrays, const SgdScalars& scalars);
  void (*dual_sgd_mixed)(Index count, const SgdArrays<Bfloat16, float>& arrays, const SgdScalars& scalars);

  // --- k_groups.cpp: the prox of a penalty on groups, of groups `first` to `first + count`, in place ------------------------
  void (*group_prox_f32)(const GroupArrays<float>& x, const GroupScalars& scalars, Index first, Index count, float* scratch);
  void (*group_prox_f64)(const GroupArrays<double>& x, const GroupScalars& scalars, Index first, Index count, double* scratch);

  // --- k_dual_groups.cpp: dual averaging of groups `first` to `first + count`, in place --------------------------------------
  void (*dual_groups_f32)(const DualGroupArrays<float>& x, const DualGroupScalars& scalars, Index first, Index count, float* scratch);
  void (*dual_groups_f64)(const DualGroupArrays<double>& x, const DualGroupScalars& scalars, Index first, Index count, double* scratch);
};

// The table of the best instruction set of this machine, or of the one named by the environment
// variable SHRINKAGE_ISA (baseline, avx2, avx512) where this machine has it.
const Kernels& kernels();

}  // namespace shrinkage
