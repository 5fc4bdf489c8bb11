#include <random>

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/active_box.hpp"
#include "shrinkage/restricted/boxed_quadratic.hpp"

using namespace shrinkage;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

struct Made {
  int size;
  std::vector<double> gram, linear, l1, lower, upper;

  Made(int rows, int columns, unsigned seed) : size(columns), gram(columns * columns), linear(columns), l1(columns, 1.0) {
    std::mt19937 rng(seed);
    std::normal_distribution<double> normal;
    std::vector<double> x(rows * columns), y(rows);
    for (double& v : x) v = normal(rng);
    for (double& v : y) v = normal(rng);
    for (int j = 0; j < columns; j++)
      for (int i = 0; i < rows; i++) linear[j] += x[j * rows + i] * y[i];
    for (int a = 0; a < columns; a++)
      for (int b = 0; b < columns; b++)
        for (int i = 0; i < rows; i++) gram[a * columns + b] += x[a * rows + i] * x[b * rows + i];
    for (int j = 0; j < columns; j++) {
      lower.push_back(j % 3 == 0 ? -infinite : j % 3 == 1 ? 0.0 : -0.05);
      upper.push_back(j % 4 == 0 ? infinite : j % 4 == 1 ? 0.0 : 0.07);
    }
  }

  Quadratic quadratic(double ridge) const {
    Quadratic q;
    q.gram = gram.data();
    q.ld = q.size = size;
    q.linear = linear.data();
    q.l1 = l1.data();
    q.ridge = ridge;
    return q;
  }

  // largest violation of the optimality conditions, from the definition
  double violation(double strength, double ridge, const std::vector<double>& v) const {
    double worst = 0;
    for (int j = 0; j < size; j++) {
      double g = linear[j] - ridge * v[j];
      for (int k = 0; k < size; k++) g -= gram[j * size + k] * v[k];
      const double w = strength * l1[j];
      if (v[j] < upper[j]) worst = std::max(worst, g - (v[j] >= 0 ? w : -w));
      if (v[j] > lower[j]) worst = std::max(worst, -g + (v[j] > 0 ? w : -w));
      if (v[j] < lower[j] || v[j] > upper[j]) worst = infinite;
    }
    return worst;
  }
};

}  // namespace

TEST("the minimizer satisfies the conditions, and warm starts as well") {
  for (int rows : {60, 12})
    for (double ridge : {0.0, 2.0}) {
      const Made made(rows, 25, 3);
      BoxedQuadratic solver;
      std::vector<double> v(25, 0.0), gradient(25);
      for (double strength : {20.0, 5.0, 1.0, 0.1, 0.0}) {
        solver.minimize(made.quadratic(ridge), made.lower.data(), made.upper.data(), strength, 1e-10, v.data(), gradient.data());
        CHECK(made.violation(strength, ridge, v) <= 1e-8);
      }
    }
}

TEST("copies of a column and empty columns end") {
  Made made(40, 12, 5);
  for (int k = 0; k < 12; k++) made.gram[1 * 12 + k] = made.gram[0 * 12 + k];
  for (int k = 0; k < 12; k++) made.gram[k * 12 + 1] = made.gram[k * 12 + 0];
  made.linear[1] = made.linear[0];
  for (int k = 0; k < 12; k++) made.gram[2 * 12 + k] = made.gram[k * 12 + 2] = 0;
  made.linear[2] = 0;
  BoxedQuadratic solver;
  std::vector<double> v(12, 0.0), gradient(12);
  for (double strength : {1.0, 0.01}) {
    solver.minimize(made.quadratic(0), made.lower.data(), made.upper.data(), strength, 1e-10, v.data(), gradient.data());
    CHECK(made.violation(strength, 0, v) <= 1e-8);
    CHECK(v[2] == 0);
  }
}

TEST("the active set in a box satisfies the same conditions, started afresh or where it was") {
  for (int rows : {60, 12})
    for (double ridge : {0.0, 2.0})
      for (unsigned seed = 0; seed < 8; seed++) {
        const Made made(rows, 25, seed);
        ActiveSet active;
        if (ridge == 0) active.set_max_support(rows);
        ActiveBox solver;
        std::vector<double> v(25, 0.0), gradient(25);
        bool restart = true;
        for (double strength : {20.0, 12.0, 8.0, 5.0, 2.0, 1.0, 0.1, 3.0}) {
          const Quadratic q = made.quadratic(ridge);
          CHECK(ActiveBox::takes(q, strength));
          const bool settled = solver.minimize(active, q, made.lower.data(), made.upper.data(), strength, 1e-12, restart, v.data(), gradient.data());
          CHECK(settled);
          CHECK(made.violation(strength, ridge, v) <= 1e-8);
          restart = seed % 2 == 1;
        }
      }
}

TEST("a column that nothing shrinks is not the active set's") {
  Made made(20, 5, 1);
  CHECK(!ActiveBox::takes(made.quadratic(0), 0.0));
  made.l1[2] = 0;
  CHECK(!ActiveBox::takes(made.quadratic(0), 1.0));
}
