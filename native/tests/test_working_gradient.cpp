#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/working_gradient.hpp"

using namespace shrinkage;

namespace {

// A quadratic on 30 columns, with two rows of a correction, and a support of some of them.
struct Stated {
  check::Random random{7};
  std::vector<double> gram, low_rank, linear, l1, l2;
  Quadratic q;
  Support support;

  explicit Stated(bool corrected) : gram(900), low_rank(random.vector(60)), linear(random.vector(30)), l1(30, 1.0), l2(random.vector(30)) {
    const auto X = random.vector(50 * 30);
    for (double& x : l2) x = 1 + 0.5 * x;
    for (int j = 0; j < 30; j++)
      for (int k = 0; k < 30; k++)
        for (int i = 0; i < 50; i++) gram[k * 30 + j] += X[j * 50 + i] * X[k * 50 + i];
    q.gram = gram.data();
    q.ld = q.size = 30;
    q.scale = 0.7;
    q.linear = linear.data();
    q.l1 = l1.data();
    q.l2 = l2.data();
    q.ridge = 0.4;
    if (corrected) {
      q.low_rank = low_rank.data();
      q.rank = q.ld_low_rank = 2;
    }
    std::vector<double> v(30);
    for (int j : {3, 4, 11, 20, 29}) v[j] = random.next();
    support.point_to(q);
    support.resize_working_set(30);
    support.start_at(q.ridge, v.data());
  }

  double gradient(int j) const {
    double g = linear[j];
    for (int i = 0; i < support.size(); i++) {
      const int k = support.features()[i];
      double entry = q.scale * gram[k * 30 + j] + (j == k ? q.ridge * l2[j] : 0.0);
      for (int r = 0; r < q.rank; r++) entry -= low_rank[j * 2 + r] * low_rank[k * 2 + r];
      g -= entry * support.coefficients()[i];
    }
    return g;
  }
};

}  // namespace

TEST("a working gradient is what the quadratic says, everywhere and where it is asked for") {
  for (const bool corrected : {false, true}) {
    Stated at(corrected);
    WorkingGradient everywhere, somewhere;
    everywhere.resize(30);
    somewhere.resize(30);
    everywhere.update(at.support);
    const std::vector<int> outside{0, 5, 28};
    somewhere.update_outside(at.support, outside);
    for (int j = 0; j < 30; j++) CHECK_CLOSE(everywhere[j], at.gradient(j), 1e-12);
    for (int j : outside) CHECK_CLOSE(somewhere[j], at.gradient(j), 1e-12);
  }
}

TEST("when coefficients go to zero, the gradient of those that stay is that without them") {
  for (const bool corrected : {false, true}) {
    Stated at(corrected);
    WorkingGradient gradient;
    gradient.resize(30);
    gradient.update(at.support);
    const std::vector<int> gone{4, 29};
    const std::vector<double> from{at.support.coefficients()[1], at.support.coefficients()[4]};
    gradient.leave_out(at.support, gone, from);
    at.support.coefficients()[1] = at.support.coefficients()[4] = 0;
    for (int j : {3, 11, 20}) CHECK_CLOSE(gradient[j], at.gradient(j), 1e-12);
  }
}

TEST("a gradient is stationary when it is the strength's on the support, in its signs") {
  Stated at(false);
  WorkingGradient gradient;
  gradient.resize(30);
  for (int i = 0; i < at.support.size(); i++) gradient[at.support.features()[i]] = 0.3 * at.support.signs()[i] * (1 + 1e-6);
  CHECK(gradient.stationary(at.support, 0.3, 2e-6));
  CHECK(!gradient.stationary(at.support, 0.3, 0.5e-6));
  gradient[20] = -gradient[20];
  CHECK(!gradient.stationary(at.support, 0.3, 0.1));
}
