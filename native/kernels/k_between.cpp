#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// Which columns may reach a limit at strengths that lie between certified ones.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

bool one_reaches(const double* c, Index ldc, const Between& b, double norm, double inv) {
  bool found = false;
  for (Index t = 0; t < b.strengths; t++) {
    double v = 0;
    for (Index k = 0; k < b.knots; k++) v += c[k * ldc] * b.shares[k + t * b.knots];
    v = ((v < 0 ? -v : v) + norm * b.rest[t]) * inv;
    found = found || !(v < b.limit[t]);
  }
  return found;
}

// reached[j] = is (|sum_k C[j + k ldc] shares[k, t]| + norm_j rest_t) inv_j >= limit_t at some t, or not a number?
void reaches(const double* C, Index ldc, Index columns, const Between& b, const double* norm, const double* inv, bool* reached) {
  Index j = 0;
  for (; j + lanes <= columns; j += lanes) {
    const Vec n = load(norm + j), scale = load(inv + j);
    Mask found{};
    for (Index t = 0; t < b.strengths; t++) {
      Vec v{};
      for (Index k = 0; k < b.knots; k++) v += load(C + j + k * ldc) * b.shares[k + t * b.knots];
      v = (absolute(v) + n * b.rest[t]) * scale;
      found |= (v >= splat(b.limit[t])) | not_finite(v);
    }
    const bool some = any(found);
    for (int l = 0; l < lanes; l++) reached[j + l] = some && one_reaches(C + j + l, ldc, b, norm[j + l], inv[j + l]);
  }
  for (; j < columns; j++) reached[j] = one_reaches(C + j, ldc, b, norm[j], inv[j]);
}

}  // namespace

void fill_between(Kernels& table) {
  table.reaches = reaches;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
