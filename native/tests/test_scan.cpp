#include <limits>
#include <memory>

#include "check.hpp"
#include "shrinkage/scan.hpp"

using namespace shrinkage;

namespace {

struct Case {
  Index columns, fits, strengths;
  std::vector<double> strength, l1, l2, C, ratio, conjugate, excess;
  std::vector<int> first;
  std::unique_ptr<bool[]> inside;

  Case(Index p, Index f, Index t, unsigned seed) : columns(p), fits(f), strengths(t), ratio(f * t), conjugate(f * t), excess(p), first(p) {
    check::Random random(seed);
    for (Index i = 0; i < t; i++) strength.push_back(1.0 / static_cast<double>(i + 1));
    l1 = random.vector(p * f);
    l2 = random.vector(p * f);
    C = random.vector(p * f * t);
    for (Index j = 0; j < p * f; j++) {
      l1[j] = j % 7 == 3 ? 0 : 1 + 0.5 * l1[j];
      l2[j] = j % 5 == 2 ? 0 : 1 + 0.5 * l2[j];
    }
    inside = std::make_unique<bool[]>(p);
    for (Index j = 0; j < p; j++) inside[j] = j % 4 == 1;
  }

  void read(Index block) {
    const Scan s{columns, fits,     strengths,    strength.data(),  l1.data(),    l2.data(),    inside.get(),
                 0.1,     C.data(), ratio.data(), conjugate.data(), first.data(), excess.data()};
    std::vector<double> scratch;
    const Index blocks = (columns + block - 1) / block;
    Reading reading(s, blocks);
    for (Index b = blocks - 1; b >= 0; b--) reading.read(b, b * block, std::min(block, columns - b * block), scratch);  // in any order
    reading.finish();
  }
};

}  // namespace

TEST("a scan reads what its definitions say, whatever the blocks") {
  for (const Index p : {1, 7, 8, 40, 67})
    for (const Index block : {5, 16, 100}) {
      Case c(p, 2, 6, static_cast<unsigned>(p));
      c.read(block);
      std::vector<int> first(p, 6);
      std::vector<double> excess(p, 0.0);
      for (Index f = 0; f < 2; f++)
        for (Index t = 0; t < 6; t++) {
          double ratio = 0, conjugate = 0;
          for (Index j = 0; j < p; j++) {
            const double a = std::fabs(c.C[(f * 6 + t) * p + j]), l1 = c.l1[f * p + j], l2 = c.l2[f * p + j];
            const double over = std::max(a - c.strength[t] * l1, 0.0);
            if (l2 > 0) conjugate += over * over / l2;
            if (!(l1 > 0)) continue;
            ratio = std::max(ratio, a / l1);
            if (c.inside[j] || a <= c.strength[t] * l1 * 1.1) continue;
            first[j] = std::min(first[j], static_cast<int>(t));
            excess[j] = std::max(excess[j], a / (c.strength[t] * l1));
          }
          CHECK_CLOSE(c.ratio[f * 6 + t], ratio, 1e-14);
          CHECK_CLOSE(c.conjugate[f * 6 + t], conjugate, 1e-13);
        }
      for (Index j = 0; j < p; j++) {
        CHECK(c.first[j] == first[j]);
        CHECK_CLOSE(c.excess[j], excess[j], 1e-13);
      }
    }
}

TEST("a correlation that is not a number cannot pass for a certificate") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    for (const Index where : {0, 8, 20}) {
      Case c(21, 1, 2, 3);
      c.C[where] = bad;
      c.read(8);
      CHECK(!(c.ratio[0] < 1e300));
      CHECK(c.ratio[1] < 1e300);
    }
}
