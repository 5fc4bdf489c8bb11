#include "shrinkage/kernels.hpp"
#include "shrinkage/lanes.hpp"

namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

constexpr int panel = 8;  // columns of L at a time, in registers

// `Vectors` vectors of rows at once, so that the chain of rotations of one hides behind the others
template <int Vectors>
inline void rotate_rows(int count, const double* c, const double* s, const double* from, double* into, double* carried, Index ld) {
  LanesOf<double> x[Vectors];
  for (int v = 0; v < Vectors; v++) x[v] = lanes_at(from + v * width<double>);
  for (int q = 0; q < count; q++) {
    double* column = carried + q * ld;
    for (int v = 0; v < Vectors; v++) {
      const LanesOf<double> l = lanes_at(column + v * width<double>);
      put(column + v * width<double>, c[q] * l - s[q] * x[v]);
      x[v] = c[q] * x[v] + s[q] * l;
    }
  }
  for (int v = 0; v < Vectors; v++) put(into + v * width<double>, x[v]);
}

void rotate(Index rows, int count, const double* c, const double* s, const double* from, double* into, double* carried, Index ld) {
  constexpr int vectors = 4;
  Index i = 0;
  for (; i + vectors * width<double> <= rows; i += vectors * width<double>) rotate_rows<vectors>(count, c, s, from + i, into + i, carried + i, ld);
  for (; i + width<double> <= rows; i += width<double>) rotate_rows<1>(count, c, s, from + i, into + i, carried + i, ld);
  for (; i < rows; i++) {
    double x = from[i];
    for (int q = 0; q < count; q++) {
      const double l = carried[i + q * ld];
      carried[i + q * ld] = c[q] * l - s[q] * x;
      x = c[q] * x + s[q] * l;
    }
    into[i] = x;
  }
}

// rows of B below a panel of eight columns of L, of which `x` holds the solved entries of every side: B -= L x
inline void eliminate(Index rows, const double* L, Index ld, const double* x, int count, double* B, Index ldb) {
  Index i = 0;
  for (; i + width<double> <= rows; i += width<double>) {
    LanesOf<double> l[panel];
    for (int a = 0; a < panel; a++) l[a] = lanes_at(L + a * ld + i);
    for (int t = 0; t < count; t++) {
      LanesOf<double> y = lanes_at(B + t * ldb + i);
      for (int a = 0; a < panel; a++) y -= x[t * panel + a] * l[a];
      put(B + t * ldb + i, y);
    }
  }
  for (; i < rows; i++)
    for (int t = 0; t < count; t++) {
      double y = B[t * ldb + i];
      for (int a = 0; a < panel; a++) y -= x[t * panel + a] * L[a * ld + i];
      B[t * ldb + i] = y;
    }
}

void substitute(Index rows, const double* L, Index ld, int count, double* B, Index ldb) {
  double x[substitute_sides * panel];
  for (Index j = 0; j < rows; j += panel) {
    const int size = static_cast<int>(rows - j < panel ? rows - j : panel);
    for (int t = 0; t < count; t++) {
      double* b = B + t * ldb + j;
      for (int a = 0; a < size; a++) {
        b[a] /= L[(j + a) * ld + j + a];
        for (int i = a + 1; i < size; i++) b[i] -= L[(j + a) * ld + j + i] * b[a];
        x[t * panel + a] = b[a];
      }
    }
    if (size == panel) eliminate(rows - j - panel, L + j * ld + j + panel, ld, x, count, B + j + panel, ldb);
  }
}

// products of eight columns of L with x, all `rows` long
inline void panel_dots(Index rows, const double* L, Index ld, const double* x, double* out) {
  LanesOf<double> sums[panel];
  for (int a = 0; a < panel; a++) sums[a] = LanesOf<double>{};
  Index i = 0;
  for (; i + width<double> <= rows; i += width<double>) {
    const LanesOf<double> v = lanes_at(x + i);
    for (int a = 0; a < panel; a++) sums[a] += lanes_at(L + a * ld + i) * v;
  }
  for (int a = 0; a < panel; a++) {
    double parts[width<double>], sum = 0;
    put(parts, sums[a]);
    for (int l = 0; l < width<double>; l++) sum += parts[l];
    for (Index k = i; k < rows; k++) sum += L[a * ld + k] * x[k];
    out[a] = sum;
  }
}

void substitute_back(Index rows, const double* L, Index ld, double* x) {
  double below[panel];
  for (Index j = (rows - 1) / panel * panel; j >= 0; j -= panel) {
    const int size = static_cast<int>(rows - j < panel ? rows - j : panel);
    for (int a = 0; a < panel; a++) below[a] = 0;
    if (size == panel) panel_dots(rows - j - panel, L + j * ld + j + panel, ld, x + j + panel, below);
    for (int a = size - 1; a >= 0; a--) {
      const double* column = L + (j + a) * ld + j;
      double left = x[j + a] - below[a];
      for (int i = a + 1; i < size; i++) left -= column[i] * x[j + i];
      x[j + a] = left / column[a];
    }
  }
}

}  // namespace

void fill_factor(Kernels& table) {
  table.rotate = rotate;
  table.substitute = substitute;
  table.substitute_back = substitute_back;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
