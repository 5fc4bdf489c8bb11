#include "shrinkage/kernels.hpp"
#include "shrinkage/simd.hpp"

// Compressed columns against a row-major panel of `width` right-hand sides (1, 2, 4, 8, 16 or 32): every stored value
// meets `width` contiguous numbers, so one irregular access serves them all.
namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

// sums += x panel[0..W), in registers
template <int W, bool Wide = (W >= lanes)>
struct Sums {
  double s[W] = {};
  void add(double x, const double* row) {
    for (int t = 0; t < W; t++) s[t] += x * row[t];
  }
  double get(int t) const { return s[t]; }
};

template <int W>
struct Sums<W, true> {
  Vec s[W / lanes] = {};
  void add(double x, const double* row) {
    const Vec all = splat(x);
    for (int v = 0; v < W / lanes; v++) s[v] += all * load(row + v * lanes);
  }
  double get(int t) const {
    double out[lanes];
    store(out, s[t / lanes]);
    return out[t % lanes];
  }
};

template <int W, class Real>
void dots_of_width(const CscColumns<Real>& X, const double* panel, int used, double* C, Index across, Index down) {
  for (Index a = 0; a < X.count; a++) {
    const Index j = X.features ? X.features[a] : X.first + a;
    const Index end = X.indptr[j + 1];
    Sums<W> even, odd;
    Index k = X.indptr[j];
    for (; k + 2 <= end; k += 2) {
      even.add(X.data[k], panel + Index(W) * X.indices[k]);
      odd.add(X.data[k + 1], panel + Index(W) * X.indices[k + 1]);
    }
    if (k < end) even.add(X.data[k], panel + Index(W) * X.indices[k]);
    for (int t = 0; t < used; t++) C[a * across + t * down] = even.get(t) + odd.get(t);
  }
}

template <class Real>
void dots_with_panel(const CscColumns<Real>& X, const double* panel, int width, int used, double* C, Index across, Index down) {
  switch (width) {
    case 1: return dots_of_width<1>(X, panel, used, C, across, down);
    case 2: return dots_of_width<2>(X, panel, used, C, across, down);
    case 4: return dots_of_width<4>(X, panel, used, C, across, down);
    case 8: return dots_of_width<8>(X, panel, used, C, across, down);
    case 16: return dots_of_width<16>(X, panel, used, C, across, down);
    default: return dots_of_width<32>(X, panel, used, C, across, down);
  }
}

template <int W, class Real>
void spread_of_width(const CscColumns<Real>& X, const double* B, Index ldb, int used, double* panel) {
  for (Index a = 0; a < X.count; a++) {
    const Index j = X.features ? X.features[a] : X.first + a;
    double b[W] = {};
    for (int t = 0; t < used; t++) b[t] = B[a + t * ldb];
    for (Index k = X.indptr[j]; k < X.indptr[j + 1]; k++) {
      double* row = panel + Index(W) * X.indices[k];
      const double x = X.data[k];
      for (int t = 0; t < W; t++) row[t] += x * b[t];
    }
  }
}

template <class Real>
void spread_to_panel(const CscColumns<Real>& X, const double* B, Index ldb, int width, int used, double* panel) {
  switch (width) {
    case 1: return spread_of_width<1>(X, B, ldb, used, panel);
    case 2: return spread_of_width<2>(X, B, ldb, used, panel);
    case 4: return spread_of_width<4>(X, B, ldb, used, panel);
    case 8: return spread_of_width<8>(X, B, ldb, used, panel);
    case 16: return spread_of_width<16>(X, B, ldb, used, panel);
    default: return spread_of_width<32>(X, B, ldb, used, panel);
  }
}

}  // namespace

void fill_csc(Kernels& table) {
  table.csc_dots = dots_with_panel<double>;
  table.csc_dots_f32 = dots_with_panel<float>;
  table.csc_spread = spread_to_panel<double>;
  table.csc_spread_f32 = spread_to_panel<float>;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
