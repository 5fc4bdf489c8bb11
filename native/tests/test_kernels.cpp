#include "shrinkage/kernels.hpp"

#include <cstdlib>
#include <cstring>

#include "check.hpp"

using shrinkage::Index;
using shrinkage::kernels;

namespace {

// Sizes around every vector width, so that each loop and each remainder runs.
const int sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67};

}  // namespace

TEST("the environment chooses the instruction set, or the machine lacks it") {
  const char* wanted = std::getenv("SHRINKAGE_ISA");
  const char* got = kernels().isa;
  CHECK(!wanted || std::strcmp(wanted, got) == 0 || std::strcmp(got, "baseline") == 0);
}

TEST("picked dots are the dots of the picked columns") {
  check::Random random(1);
  for (const int rows : sizes)
    for (const int count : {0, 1, 3, 4, 5, 9}) {
      const Index ld = rows + 3;
      const auto G = random.vector(ld * 10), x = random.vector(rows);
      std::vector<int> columns;
      for (int k = 0; k < count; k++) columns.push_back((7 * k + 2) % 10);
      std::vector<double> out(count + 1, -5.0);
      kernels().picked_dots(G.data(), ld, rows, columns.data(), count, x.data(), out.data());
      for (int k = 0; k < count; k++) {
        double s = 0;
        for (int i = 0; i < rows; i++) s += G[columns[k] * ld + i] * x[i];
        CHECK_CLOSE(out[k], s, 1e-13);
      }
      CHECK(out[count] == -5.0);
    }
}

TEST("subtracting columns is y minus G times the coefficients") {
  check::Random random(2);
  for (const int rows : sizes)
    for (const int count : {0, 1, 3, 4, 5, 9}) {
      const Index ld = rows + 1;
      const auto G = random.vector(ld * 10), start = random.vector(rows + 1), b = random.vector(count);
      std::vector<int> columns;
      for (int k = 0; k < count; k++) columns.push_back((3 * k + 1) % 10);
      auto y = start;
      kernels().subtract_columns(G.data(), ld, rows, columns.data(), count, b.data(), y.data());
      for (int i = 0; i < rows; i++) {
        double s = start[i];
        for (int k = 0; k < count; k++) s -= G[columns[k] * ld + i] * b[k];
        CHECK_CLOSE(y[i], s, 1e-13);
      }
      CHECK(y[rows] == start[rows]);
    }
}

TEST("dots add X'R, from columns or from rows, in either precision") {
  check::Random random(3);
  for (const int rows : sizes)
    for (const int columns : {1, 2, 5, 8, 11})
      for (const int k : {1, 2, 3, 4, 5, 9}) {
        const Index ldx = rows + 2, ldr = rows + 1, ldc = columns + 1, ldx_rows = columns + 2;
        const auto X = random.vector(ldx * columns), R = random.vector(ldr * k), start = random.vector(ldc * k);
        std::vector<double> by_rows(ldx_rows * rows + 1);
        for (int i = 0; i < rows; i++)
          for (int j = 0; j < columns; j++) by_rows[i * ldx_rows + j] = X[j * ldx + i];
        const std::vector<float> single(X.begin(), X.end()), single_rows(by_rows.begin(), by_rows.end());
        std::vector<double> results[4] = {start, start, start, start};
        kernels().dots(X.data(), ldx, rows, columns, R.data(), ldr, k, results[0].data(), ldc);
        kernels().row_dots(by_rows.data(), ldx_rows, rows, columns, R.data(), ldr, k, results[1].data(), ldc);
        kernels().dots_f32(single.data(), ldx, rows, columns, R.data(), ldr, k, results[2].data(), ldc);
        kernels().row_dots_f32(single_rows.data(), ldx_rows, rows, columns, R.data(), ldr, k, results[3].data(), ldc);
        for (int form = 0; form < 4; form++)
          for (int t = 0; t < k; t++) {
            for (int j = 0; j < columns; j++) {
              double s = start[t * ldc + j];
              for (int i = 0; i < rows; i++) s += (form < 2 ? X[j * ldx + i] : static_cast<double>(single[j * ldx + i])) * R[t * ldr + i];
              CHECK_CLOSE(results[form][t * ldc + j], s, 1e-13);
            }
            CHECK(results[form][t * ldc + columns] == start[t * ldc + columns]);
          }
      }
}

TEST("deviations add the weighted first and second moments about a center") {
  check::Random random(4);
  for (const int rows : sizes)
    for (const int k : {1, 2, 3})
      for (const bool weighted : {false, true}) {
        const int columns = 5;
        const Index ldx = rows + 1, ldw = rows + 2, p = columns + 1;
        const auto X = random.vector(ldx * columns), w = random.vector(ldw * k), center = random.vector(p * k);
        std::vector<double> first(p * k), second(p * k);
        kernels().deviations(X.data(), ldx, rows, columns, weighted ? w.data() : nullptr, ldw, k, center.data(), first.data(), second.data(), p);
        for (int t = 0; t < k; t++)
          for (int j = 0; j < columns; j++) {
            double a = 0, b = 0;
            for (int i = 0; i < rows; i++) {
              const double d = X[j * ldx + i] - center[t * p + j], weight = weighted ? w[t * ldw + i] : 1.0;
              a += weight * d;
              b += weight * d * d;
            }
            CHECK_CLOSE(first[t * p + j], a, 1e-12);
            CHECK_CLOSE(second[t * p + j], b, 1e-12);
          }
      }
}
