#include <cfloat>
#include <cmath>

#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// What a certificate reads off a block of correlations while it is still in cache.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// ratio = max_j |c_j| inv_j, NaN if a c_j is not finite; outside = the same over the columns outside the working set:
// inv_outside is inv with zeros inside it.
void ratios(const double* c, const double* inv, const double* inv_outside, Index columns, double* ratio, double* outside) {
  Vec all{}, out{};
  Mask poison{};
  Index j = 0;
  for (; j + lanes <= columns; j += lanes) {
    const Vec v = load(c + j);
    const Vec a = absolute(v);
    all = larger(a * load(inv + j), all);
    out = larger(a * load(inv_outside + j), out);
    poison |= not_finite(v);
  }
  double most = largest(all), most_out = largest(out);
  bool finite = !any(poison);
  for (; j < columns; j++) {
    const double a = c[j] < 0 ? -c[j] : c[j];
    if (a * inv[j] > most) most = a * inv[j];
    if (a * inv_outside[j] > most_out) most_out = a * inv_outside[j];
    finite = finite && a <= DBL_MAX;
  }
  *ratio = finite ? most : NAN;
  *outside = most_out;
}

// sum_j max(|c_j| - strength l1_j, 0)^2 inv_l2_j
double conjugate(const double* c, const double* l1, const double* inv_l2, double strength, Index columns) {
  Vec total{};
  Index j = 0;
  for (; j + lanes <= columns; j += lanes) {
    const Vec over = larger(absolute(load(c + j)) - strength * load(l1 + j), Vec{});
    total += over * over * load(inv_l2 + j);
  }
  double s = sum(total);
  for (; j < columns; j++) {
    const double a = (c[j] < 0 ? -c[j] : c[j]) - strength * l1[j];
    if (a > 0) s += a * a * inv_l2[j];
  }
  return s;
}

// Columns whose |c_j| inv_outside_j exceeds limit: first_j becomes at most t, excess_j at least that ratio over strength.
void violations(const double* c, const double* inv_outside, Index columns, double limit, double strength, int t, int* first, double* excess) {
  for (Index j = 0; j < columns; j++) {
    const double ratio = (c[j] < 0 ? -c[j] : c[j]) * inv_outside[j];
    if (ratio > limit) {
      if (t < first[j]) first[j] = t;
      if (ratio > excess[j] * strength) excess[j] = ratio / strength;
    }
  }
}

}  // namespace

void fill_scan(Kernels& table) {
  table.ratios = ratios;
  table.conjugate = conjugate;
  table.violations = violations;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
