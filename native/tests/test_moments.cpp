#include "check.hpp"
#include "shrinkage/moments.hpp"

using namespace shrinkage;

namespace {

struct Data {
  Index n, m;
  std::vector<double> x, rest, removed, weights;

  Data(Index rows, Index features, bool ones) : n(rows), m(features) {
    check::Random random(static_cast<unsigned>(rows));
    x = random.vector(n * m);
    rest = random.vector(2 * n);
    removed = random.vector(m);
    weights = random.vector(n);
    for (double& w : weights) w = w < 0 ? 0 : w;
    if (ones)
      for (Index i = 0; i < n; i++) rest[2 * i + 1] = 1;
  }

  moments::Rows rows(const Index* order) const {
    return {{x.data(), false, n, m, 1, n}, nullptr, m, rest.data(), 2, removed.data(), weights.data(), order};
  }

  double entry(Index i, Index a) const { return a < m ? x[i + a * n] - rest[2 * i + 1] * removed[a] : rest[2 * i + a - m]; }
};

}  // namespace

TEST("moments of pieces are sums over their rows, in any order of rows, one lane or several") {
  for (const bool ones : {true, false})
    for (const Index n : {5, 255, 257, 6000}) {
      const Data data(n, 3, ones);
      std::vector<Index> order, starts{0, n / 5, n};
      for (Index i = 0; i < n; i++) order.push_back((i + n / 2) % n);
      std::vector<double> out(2 * 25, 0.5);
      moments::add(data.rows(order.data()), starts.data(), 2, out.data());
      for (Index k = 0; k < 2; k++)
        for (Index a = 0; a < 5; a++)
          for (Index b = 0; b < 5; b++) {
            double sum = 0.5;
            for (Index i = starts[k]; i < starts[k + 1]; i++) sum += data.weights[order[i]] * data.entry(order[i], a) * data.entry(order[i], b);
            CHECK_CLOSE(out[k * 25 + a * 5 + b], sum, 1e-12);
          }
    }
}

TEST("columns beyond one group of a panel meet every other, at the edges of tiles too") {
  for (const Index m : {21, 22, 23, 24, 47, 50}) {
    const Data data(130, m, true);
    const std::vector<Index> starts{0, data.n};
    const Index size = m + 2;
    std::vector<double> out(size * size);
    moments::add(data.rows(nullptr), starts.data(), 1, out.data());
    for (Index a = 0; a < size; a++)
      for (Index b = 0; b < size; b++) {
        double sum = 0;
        for (Index i = 0; i < data.n; i++) sum += data.weights[i] * data.entry(i, a) * data.entry(i, b);
        CHECK_CLOSE(out[a * size + b], sum, 1e-12);
      }
  }
}

TEST("the bits of moments do not depend on the number of threads") {
  const Index n = 300000;  // enough for more than one thread
  const Data data(n, 6, true);
  const std::vector<Index> starts{0, n};
  CHECK(moments::lanes_of(n, 8) > 2);
  std::vector<double> one(64), other(64);
  team::limit() = 1;
  moments::add(data.rows(nullptr), starts.data(), 1, one.data());
  for (const int threads : {2, 3, 8}) {
    team::limit() = threads;
    std::fill(other.begin(), other.end(), 0.0);
    moments::add(data.rows(nullptr), starts.data(), 1, other.data());
    CHECK(one == other);
  }
}
