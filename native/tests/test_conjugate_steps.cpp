#include "check.hpp"
#include "shrinkage/restricted/conjugate_steps.hpp"

using shrinkage::ConjugateSteps;

namespace {

double product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Minimizes 1/2 x'Ax - c'x, A diagonal, by exact steps along the directions that a diagonal H makes; returns |c - Ax|.
double residual_after(int steps, const std::vector<double>& A, const std::vector<double>& H, const std::vector<double>& c, bool begun_outside) {
  const size_t n = c.size();
  std::vector<double> r = c, z(n), scaled(n);
  ConjugateSteps conjugate;
  for (int step = 0; step < steps; step++) {
    for (size_t i = 0; i < n; i++) z[i] = r[i] / H[i];
    double slope = product(r, z);
    if (step == 0 && begun_outside)
      conjugate.begin(z, slope);
    else
      slope = conjugate.turn(r, z);
    CHECK_CLOSE(slope, product(r, z), 1e-12 * std::fabs(slope));
    for (size_t i = 0; i < n; i++) scaled[i] = A[i] * z[i];
    const double length = slope / product(z, scaled);
    for (size_t i = 0; i < n; i++) r[i] -= length * scaled[i];
  }
  return std::sqrt(product(r, r));
}

}  // namespace

TEST("as many steps as the preconditioned matrix has eigenvalues reach the minimizer, the first of them one's own or not") {
  const std::vector<double> H = {1, 2, 3, 4, 5, 6}, shares = {0.5, 1.0, 1.5, 0.5, 1.0, 1.5};  // three eigenvalues
  std::vector<double> A;
  for (size_t i = 0; i < H.size(); i++) A.push_back(shares[i] * H[i]);
  const auto c = check::Random(1).vector(6);
  for (const bool begun_outside : {false, true}) {
    CHECK(residual_after(2, A, H, c, begun_outside) > 1e-4);
    CHECK(residual_after(3, A, H, c, begun_outside) < 1e-13);
  }
}

TEST("a direction of another size is not known") {
  ConjugateSteps conjugate;
  conjugate.begin({1, 2, 3}, 1.0);
  std::vector<double> z = {0.5, -0.25, 2, 1};
  const std::vector<double> alone = z;
  CHECK_CLOSE(conjugate.turn({1, -1, 1, 1}, z), 3.75, 1e-15);
  CHECK(z == alone);
}
