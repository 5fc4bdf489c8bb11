#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/group_quadratic.hpp"
#include "shrinkage/restricted/group_scan.hpp"

using namespace shrinkage;

namespace {

// rows x columns data in groups of two, for several responses: H = X'X, B = Y'X (responses x columns)
struct Data {
  int rows, columns, responses;
  std::vector<double> H, B, l1, l2, lam;
  std::vector<std::int64_t> sizes;

  Data(int n, int p, int K, unsigned seed, bool copies = false) : rows(n), columns(p), responses(K), H(p * p), B(p * K), l1(p, 0.3), l2(p, 1.0) {
    check::Random random(seed);
    auto X = random.vector(n * p);
    if (copies) std::copy_n(&X[0], n, &X[(p - 1) * n]);
    const auto Y = random.vector(n * K);
    for (int j = 0; j < p; j++) {
      for (int k = 0; k < K; k++)
        for (int i = 0; i < n; i++) B[j * K + k] += X[j * n + i] * Y[k * n + i];
      for (int m = 0; m < p; m++)
        for (int i = 0; i < n; i++) H[m * p + j] += X[j * n + i] * X[m * n + i];
    }
    const int size = K > 1 ? 1 : 2;
    sizes.assign(p / size, size);
    lam.assign(p / size, 1.0);
    lam.back() = 0;
  }

  GroupQuadratic solver() const {
    GroupQuadratic q(responses);
    q.append(sizes.data(), lam.data(), static_cast<std::int64_t>(sizes.size()), l1.data(), l2.data());
    return q;
  }

  // the largest distance from B - HU to the subdifferential of the penalty, from its definition
  double violation(const std::vector<double>& u, double strength, double ridge) const {
    double worst = 0;
    const int K = responses, size = static_cast<int>(sizes[0]) * K;
    for (std::size_t g = 0; g < sizes.size(); g++) {
      double length = 0, square = 0, soft = 0;
      for (int e = static_cast<int>(g) * size; e < (static_cast<int>(g) + 1) * size; e++) length += u[e] * u[e];
      length = std::sqrt(length);
      for (int e = static_cast<int>(g) * size; e < (static_cast<int>(g) + 1) * size; e++) {
        double z = B[e];
        for (int m = 0; m < columns; m++) z -= H[m * columns + e / K] * u[m * K + e % K];
        const double a = strength * l1[e / K];
        if (length == 0) {
          soft += std::pow(std::max(std::fabs(z) - a, 0.0), 2);
          continue;
        }
        z -= ridge * l2[e / K] * u[e] + strength * lam[g] * u[e] / length;
        square += u[e] != 0 ? std::pow(z - (u[e] > 0 ? a : -a), 2) : std::pow(std::max(std::fabs(z) - a, 0.0), 2);
      }
      worst = std::max(worst, length > 0 ? std::sqrt(square) : std::max(std::sqrt(soft) - strength * lam[g], 0.0));
    }
    return worst;
  }
};

}  // namespace

TEST("the conditions hold at every strength, for one response and several, with and without a ridge") {
  for (const int K : {1, 3})
    for (const bool copies : {false, true})
      for (const double share : {0.0, 1.0}) {
        const Data data(9, 12, K, 7, copies);
        GroupQuadratic q = data.solver();
        for (double strength = 4; strength > 0.01; strength *= 0.7) {
          const int steps = q.solve(data.H.data(), data.columns, data.B.data(), strength, share * strength, 1e-10, 5000);
          CHECK(steps < 5000);
          CHECK(data.violation(q.coefficients(), strength, share * strength) <= 1e-8 * strength);
        }
        CHECK(q.support_size() > 0);
      }
}

TEST("within bounds no coefficient has a way down that they leave open") {
  for (const int K : {1, 3})
    for (const double share : {0.0, 1.0}) {
      const Data data(9, 12, K, 7);
      GroupQuadratic q = data.solver();
      std::vector<double> lower(12 * K), upper(12 * K, std::numeric_limits<double>::infinity()), units(data.sizes.size(), 1.0);
      for (int e = 0; e < 12 * K; e++) lower[e] = e % 4 == 0 ? 0.0 : -0.02, upper[e] = e % 3 == 0 ? 0.05 : upper[e];
      q.hold(lower.data(), upper.data(), units.data());
      int at_bounds = 0;
      for (double strength = 4; strength > 0.01; strength *= 0.7) {
        const int steps = q.solve(data.H.data(), data.columns, data.B.data(), strength, share * strength, 1e-10, 5000);
        CHECK(steps < 5000);
        const std::vector<double>& u = q.coefficients();
        // bounds that are met are forces: with what they push added to B, the conditions are those without bounds
        Data pushed = data;
        for (int e = 0; e < 12 * K; e++) {
          CHECK(u[e] >= lower[e]);
          CHECK(u[e] <= upper[e]);
          if (u[e] > lower[e] && u[e] < upper[e]) continue;
          const int size = static_cast<int>(data.sizes[0]) * K, g = e / size;
          double z = data.B[e], length = 0;
          for (int m = 0; m < 12; m++) z -= data.H[m * 12 + e / K] * u[m * K + e % K];
          for (int i = g * size; i < (g + 1) * size; i++) length += u[i] * u[i];
          const double pull = length > 0 ? data.lam[g] / std::sqrt(length) : 0.0, l1 = strength * data.l1[e / K];
          const double left = z - (share * strength + strength * pull) * u[e];
          const double way = u[e] > 0 ? left - l1 : u[e] < 0 ? left + l1 : left > l1 ? left - l1 : left < -l1 ? left + l1 : 0.0;
          if ((u[e] >= upper[e] && way > 0) || (u[e] <= lower[e] && way < 0)) pushed.B[e] -= way, at_bounds += u[e] != 0;
        }
        CHECK(pushed.violation(u, strength, share * strength) <= 1e-8 * strength);
      }
      CHECK(at_bounds > 0);
    }
}

TEST("a restart at coefficients goes on from them, and a solved problem takes no step") {
  const Data data(20, 8, 1, 3);
  GroupQuadratic q = data.solver(), other = data.solver();
  q.solve(data.H.data(), data.columns, data.B.data(), 0.5, 0.0, 1e-11, 500);
  other.restart(q.coefficients().data());
  CHECK(other.solve(data.H.data(), data.columns, data.B.data(), 0.5, 0.0, 1e-9, 500) == 0);
}

TEST("above the largest score of a group nothing is chosen, and below it something is") {
  const Data data(20, 8, 1, 3);
  const std::vector<std::int64_t> starts = {0, 2, 4, 6, 8}, columns = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<double> ones(8, 1.0);
  std::vector<double> ratios(4);
  const GroupTermsView terms{starts.data(), columns.data(), data.l1.data(), data.l2.data(), data.lam.data(), ones.data(), 4, 1};
  scan_groups(terms, data.B.data(), 8, 1, ratios.data(), nullptr, nullptr, nullptr);
  const double top = *std::max_element(ratios.begin(), ratios.end());
  GroupQuadratic q = data.solver();
  q.solve(data.H.data(), data.columns, data.B.data(), top * (1 + 1e-9), 0.0, 1e-12, 100);
  CHECK(q.support_size() == 0);
  q.solve(data.H.data(), data.columns, data.B.data(), top * 0.999, 0.0, 1e-12, 100);
  CHECK(q.support_size() > 0);
}

TEST("the conjugate is what the best of many coefficients reaches, and infinite where nothing bounds them") {
  const group_scan::Members m{{3.0, 1.0, 2.0}, {0.5, 0.5, 0.5}, {1.0, 2.0, 0.5}};
  const double found = group_scan::conjugate(m, 1.0, 0.8, 0.7);
  double best = 0;
  for (double a = 0; a < 6; a += 0.05)
    for (double b = 0; b < 2; b += 0.05)
      for (double c = 0; c < 8; c += 0.05) {
        const double squares = 0.35 * (a * a + 2 * b * b + 0.5 * c * c);
        best = std::max(best, 3 * a + b + 2 * c - 0.8 * (0.5 * (a + b + c) + std::sqrt(a * a + b * b + c * c)) - squares);
      }
  CHECK(found >= best - 1e-12);
  CHECK(found <= best + 0.01);
  const group_scan::Members free{{3.0, 1.0}, {0.5, 0.5}, {0.0, 1.0}};
  CHECK(std::isinf(group_scan::conjugate(free, 1.0, 0.8, 0.7)));
}
