#include "shrinkage/kernels.hpp"
#include "shrinkage/lanes.hpp"

namespace shrinkage {
namespace SHRINKAGE_ISA {
namespace {

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

}  // namespace

void fill_factor(Kernels& table) {
  table.rotate = rotate;
}

}  // namespace SHRINKAGE_ISA
}  // namespace shrinkage
