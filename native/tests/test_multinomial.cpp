#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/losses/multinomial.hpp"
#include "shrinkage/restricted/prox_newton.hpp"

using namespace shrinkage;

namespace {

// A multinomial problem of three classes with intercepts, dense or as compressed columns.
struct Data {
  static constexpr int classes = 3;
  int n, p;
  std::vector<double> X, Z, y, v, l1, l2, values;
  std::vector<Index> starts{0};
  std::vector<int> row_of;

  Data(int rows, int columns, unsigned seed) : n(rows), p(columns) {
    check::Random random(seed);
    X = random.vector(n * p);
    for (double& x : X) x = random.next() > 0.2 ? x : 0.0;
    Z.assign(classes * n * classes, 0.0);
    y.assign(classes * n, 0.0);
    v.resize(classes * n);
    for (int i = 0; i < n; i++) {
      const double at = X[i] - X[n + i] + 0.7 * random.next();
      y[(at > 0.3 ? 2 : at > -0.3 ? 1 : 0) * n + i] = 1;
      const double weight = (1.2 + random.next()) / n;
      for (int k = 0; k < classes; k++) {
        v[k * n + i] = weight;
        Z[k * classes * n + k * n + i] = 1;
      }
    }
    for (int j = 0; j < p; j++) {
      for (int i = 0; i < n; i++)
        if (X[j * n + i] != 0) {
          row_of.push_back(i);
          values.push_back(X[j * n + i]);
        }
      starts.push_back(static_cast<Index>(values.size()));
      for (int k = 0; k < classes; k++) {
        l1.push_back(1 + 0.05 * (j % 7));
        l2.push_back(1 + 0.05 * (j % 5));
      }
    }
  }

  Multinomial loss() const {
    Multinomial l;
    l.rows = classes * n;
    l.classes = classes;
    l.y = y.data();
    l.weights = v.data();
    return l;
  }
  FreeBlock free() const { return FreeBlock(classes * n, classes, Z.data(), classes); }
  Columns columns(bool compressed) const {
    Columns x;
    x.rows = n;
    x.count = p;
    if (compressed) {
      x.starts = starts.data();
      x.row_of = row_of.data();
      x.values = values.data();
    } else {
      x.dense = X.data();
      x.ld = n;
    }
    return x.for_classes(classes);
  }
  // entry of virtual column c in the row of class k
  double entry(int c, int i, int k) const { return c % classes == k ? X[(c / classes) * n + i] : 0.0; }
};

std::vector<double> residual(const Data& data, const std::vector<double>& eta) {
  std::vector<double> r(eta.size());
  for (int i = 0; i < data.n; i++) {
    double total = 0;
    for (int k = 0; k < 3; k++) total += std::exp(eta[k * data.n + i]);
    for (int k = 0; k < 3; k++) r[k * data.n + i] = data.v[i] * (data.y[k * data.n + i] - std::exp(eta[k * data.n + i]) / total);
  }
  return r;
}

}  // namespace

TEST("residuals are differences of the value, and the curvature is that of the residuals") {
  const Data data(5, 2, 1);
  const Multinomial loss = data.loss();
  check::Random random(2);
  std::vector<double> eta = random.vector(15), step = random.vector(15), moved(15), r(15), w(15), up(15), down(15), bent(15);
  const double along = loss.sweep(eta.data(), step.data(), 0, 0, moved.data(), r.data(), w.data());
  const double h = 1e-5;
  std::vector<double> r_up(15), r_down(15), unused(15);
  loss.sweep(eta.data(), step.data(), h, 0, up.data(), r_up.data(), unused.data());
  loss.sweep(eta.data(), step.data(), -h, 0, down.data(), r_down.data(), unused.data());
  CHECK_CLOSE((loss.value(down.data()) - loss.value(up.data())) / (2 * h), along, 1e-8);
  RowCurvature(w.data(), 15, 3).apply(step.data(), bent.data());
  double form = 0;
  for (int i = 0; i < 15; i++) {
    CHECK_CLOSE((r_down[i] - r_up[i]) / (2 * h), bent[i], 1e-8);
    form += bent[i] * step[i];
  }
  CHECK_CLOSE(RowCurvature(w.data(), 15, 3).form(step.data()), form, 1e-12);
}

TEST("the Hessian of candidates is X'CX, dense and compressed, at once and grown") {
  const Data data(12, 6, 3);
  check::Random random(4);
  std::vector<double> w = random.vector(36);
  for (double& x : w) x = 1.1 + x;
  const std::vector<int> picked{4, 0, 17, 5, 9, 2, 3, 16, 11, 12};
  for (const bool compressed : {false, true})
    for (const int first : {0, 3, 8}) {
      std::vector<double> h(16 * 16, 0.0);
      ClassGram gram;
      const std::vector<int> some(picked.begin(), picked.begin() + first);
      if (first > 0) gram.add(data.columns(compressed), some, 0, w.data(), h.data(), 16);
      gram.add(data.columns(compressed), picked, first, w.data(), h.data(), 16);
      for (int a = 0; a < 10; a++)
        for (int b = a; b < 10; b++) {
          double wanted = 0;
          for (int i = 0; i < data.n; i++)
            for (int k = 0; k < 3; k++)
              for (int l = 0; l < 3; l++) {
                const double total = w[i] + w[12 + i] + w[24 + i];
                const double c = (k == l ? w[k * 12 + i] : 0.0) - w[k * 12 + i] * w[l * 12 + i] / total;
                wanted += data.entry(picked[a], i, k) * c * data.entry(picked[b], i, l);
              }
          CHECK_CLOSE(h[a * 16 + b], wanted, 1e-12);
        }
    }
}

TEST("every strength of a path satisfies its optimality conditions, dense and compressed, with and without ridge") {
  const double tol = 1e-7;
  for (const bool compressed : {false, true})
    for (const double share : {0.0, 0.5})
      for (const int p : {6, 40}) {
        const Data data(50, p, 5);
        ProxNewton<Multinomial> fit(data.loss(), data.free());
        fit.attach(data.columns(compressed), data.l1.data(), data.l2.data());
        std::vector<double> b(3 * p);
        for (double strength = 0.1; strength > 8e-3; strength *= 0.7) {
          const double ridge = share * strength;
          fit.solve(strength, ridge, tol);
          fit.scatter(b.data());
          const std::vector<double> r = residual(data, fit.eta());
          for (int c = 0; c < 3 * p; c++) {
            double g = -ridge * data.l2[c] * b[c];
            for (int i = 0; i < data.n; i++) g += data.X[(c / 3) * data.n + i] * r[(c % 3) * data.n + i];
            const double limit = strength * data.l1[c];
            const double bad = b[c] != 0 ? std::fabs(g - (b[c] > 0 ? limit : -limit)) : std::fabs(g) - limit;
            CHECK(bad <= 2 * ProxNewton<Multinomial>::most_slack * tol * limit);
          }
          std::vector<double> theta(3 * data.n);
          fit.dual_point(theta.data(), true);
          for (int k = 0; k < 3; k++) {
            double sum = 0;
            for (int i = 0; i < data.n; i++) sum += theta[k * data.n + i];
            CHECK_CLOSE(sum, 0.0, 1e-14);
          }
          double scale = 1, conjugate = 0;  // theta is made feasible, or pays for where it is not
          for (int c = 0; c < 3 * p; c++) {
            double z = 0;
            for (int i = 0; i < data.n; i++) z += data.X[(c / 3) * data.n + i] * theta[(c % 3) * data.n + i];
            const double limit = strength * data.l1[c], over = std::max(std::fabs(z) - limit, 0.0);
            if (ridge > 0) conjugate += over * over / (2 * ridge * data.l2[c]);
            if (ridge == 0 && over > 0) scale = std::min(scale, limit / std::fabs(z));
          }
          const double gap = fit.objective(strength, ridge) - (data.loss().dual(theta.data(), scale) - conjugate);
          CHECK(gap > -1e-12);
          CHECK(gap < 1e-6);
        }
      }
}

TEST("rows of each class are scaled until all classes balance, however far they were") {
  const Data data(20, 2, 7);
  const Multinomial loss = data.loss();
  check::Random random(8);
  std::vector<double> eta = random.vector(60), step(60, 0.0), moved(60), theta(60), w(60);
  for (double& x : eta) x *= 5;
  loss.sweep(eta.data(), step.data(), 0, 0, moved.data(), theta.data(), w.data());
  const std::vector<double> before = theta;
  loss.balance(theta.data());
  double kept = 0;
  for (int k = 0; k < 3; k++) {
    double sum = 0;
    for (int i = 0; i < 20; i++) {
      sum += theta[k * 20 + i];
      const double share = theta[k * 20 + i] / before[k * 20 + i];
      CHECK(share >= 0 && share <= 1 + 1e-15);
      kept = std::max(kept, share);
    }
    CHECK_CLOSE(sum, 0.0, 1e-15);
  }
  CHECK_CLOSE(kept, 1.0, 1e-12);
}
