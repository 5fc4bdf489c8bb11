#include <limits>
#include <memory>
#include <vector>

#include "check.hpp"
#include "shrinkage/kernels.hpp"

using namespace shrinkage;

TEST("a column reaches a limit where its bound says so, whatever the number of columns") {
  for (const Index p : {1, 7, 8, 19, 40}) {
    const Index knots = 3, strengths = 5;
    check::Random random(static_cast<unsigned>(p));
    std::vector<double> C = random.vector(p * knots), shares = random.vector(knots * strengths), rest = random.vector(strengths);
    std::vector<double> norm = random.vector(p), inverse = random.vector(p), limit(strengths);
    for (double& r : rest) r = std::fabs(r) / 10;
    for (double& n : norm) n = std::fabs(n);
    for (Index j = 0; j < p; j++) inverse[j] = j % 5 == 3 ? 0 : 1 + std::fabs(inverse[j]);
    for (Index t = 0; t < strengths; t++) limit[t] = 2.0 + 0.1 * static_cast<double>(t);
    C[0] = p > 7 ? std::numeric_limits<double>::quiet_NaN() : C[0];
    const std::unique_ptr<bool[]> reached = std::make_unique<bool[]>(p);
    const Between between{knots, strengths, shares.data(), rest.data(), limit.data()};
    kernels().reaches(C.data(), p, p, between, norm.data(), inverse.data(), reached.get());
    for (Index j = 0; j < p; j++) {
      bool expected = false;
      for (Index t = 0; t < strengths; t++) {
        double c = 0;
        for (Index k = 0; k < knots; k++) c += C[j + k * p] * shares[k + t * knots];
        expected = expected || !((std::fabs(c) + norm[j] * rest[t]) * inverse[j] < limit[t]);
      }
      CHECK(reached[j] == expected);
    }
    if (p > 7) CHECK(reached[0]);
  }
}
