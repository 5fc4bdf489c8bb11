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

// rows of B below a panel of eight columns of L; x[a stride + t] are the solved entries of side t: B -= L x
inline void eliminate(Index rows, const double* L, Index ld, const double* x, int stride, int count, double* B, Index ldb) {
  Index i = 0;
  for (; i + width<double> <= rows; i += width<double>) {
    LanesOf<double> l[panel];
    for (int a = 0; a < panel; a++) l[a] = lanes_at(L + a * ld + i);
    for (int t = 0; t < count; t++) {
      LanesOf<double> y = lanes_at(B + t * ldb + i);
      for (int a = 0; a < panel; a++) y -= x[a * stride + t] * l[a];
      put(B + t * ldb + i, y);
    }
  }
  for (; i < rows; i++)
    for (int t = 0; t < count; t++) {
      double y = B[t * ldb + i];
      for (int a = 0; a < panel; a++) y -= x[a * stride + t] * L[a * ld + i];
      B[t * ldb + i] = y;
    }
}

// quotients do not wait for what is solved before: only products do
inline void reciprocals(const double* L, Index ld, int size, double* out) {
  for (int a = 0; a < size; a++) out[a] = 1 / L[a * ld + a];
}

// the entries of all sides in one panel of L, a vector of sides at a time
inline void solve_panel(const double* L, Index ld, int size, int count, double* x) {
  double inverse[panel];
  reciprocals(L, ld, size, inverse);
  for (int t = 0; t < count; t += width<double>)
    for (int a = 0; a < size; a++) {
      LanesOf<double> y = lanes_at(x + a * substitute_sides + t);
      for (int c = 0; c < a; c++) y -= L[c * ld + a] * lanes_at(x + c * substitute_sides + t);
      put(x + a * substitute_sides + t, y * inverse[a]);
    }
}

void substitute(Index rows, const double* L, Index ld, int count, double* B, Index ldb) {
  static_assert(substitute_sides % width<double> == 0, "sides come in whole vectors");
  double x[panel * substitute_sides] = {};
  for (Index j = 0; j < rows; j += panel) {
    const int size = static_cast<int>(rows - j < panel ? rows - j : panel);
    const double* corner = L + j * ld + j;
    if (count == 1) {
      double inverse[panel];
      reciprocals(corner, ld, size, inverse);
      for (int a = 0; a < size; a++) {
        const double y = x[a] = B[j + a] *= inverse[a];
        for (int i = a + 1; i < size; i++) B[j + i] -= corner[a * ld + i] * y;
      }
    } else {
      for (int t = 0; t < count; t++)
        for (int a = 0; a < size; a++) x[a * substitute_sides + t] = B[t * ldb + j + a];
      solve_panel(corner, ld, size, count, x);
      for (int t = 0; t < count; t++)
        for (int a = 0; a < size; a++) B[t * ldb + j + a] = x[a * substitute_sides + t];
    }
    const int stride = count == 1 ? 1 : substitute_sides;
    if (size == panel) eliminate(rows - j - panel, corner + panel, ld, x, stride, count, B + j + panel, ldb);
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
    double inverse[panel];
    reciprocals(L + j * ld + j, ld, size, inverse);
    for (int a = size - 1; a >= 0; a--) {
      const double* column = L + (j + a) * ld + j;
      double left = x[j + a] - below[a];
      for (int i = a + 1; i < size; i++) left -= column[i] * x[j + i];
      x[j + a] = left * inverse[a];
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
