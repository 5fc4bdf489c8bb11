#include "shrinkage/restricted/prox_newton.hpp"

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/losses/logistic.hpp"

using namespace shrinkage;

namespace {

// A logistic problem with an intercept and one free feature, dense or as compressed columns.
struct Data {
  int n, p;
  std::vector<double> X, Z, y, v, l1, l2;
  std::vector<Index> starts{0};
  std::vector<int> row_of;
  std::vector<double> values;

  Data(int rows, int columns, unsigned seed) : n(rows), p(columns) {
    check::Random random(seed);
    X = random.vector(n * p);
    for (double& x : X) x = random.next() > 0.3 ? x : 0.0;
    Z.assign(2 * n, 1.0);
    for (int i = 0; i < n; i++) Z[n + i] = random.next();
    for (int i = 0; i < n; i++) {
      y.push_back(X[i] - X[n + i] + 0.7 * random.next() > 0);
      v.push_back((1.2 + random.next()) / n);
    }
    for (int j = 0; j < p; j++) {
      l1.push_back(1 + 0.5 * random.next());
      l2.push_back(1 + 0.5 * random.next());
      for (int i = 0; i < n; i++)
        if (X[j * n + i] != 0) {
          row_of.push_back(i);
          values.push_back(X[j * n + i]);
        }
      starts.push_back(static_cast<Index>(values.size()));
    }
  }

  Logistic loss() const {
    Logistic l;
    l.rows = n;
    l.y = y.data();
    l.weights = v.data();
    return l;
  }
  FreeBlock free() const { return FreeBlock(n, 2, Z.data()); }
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
    return x;
  }
};

// eta is X b + Z c, and the gradient there is strength l1 sign(b) + ridge l2 b on the support, no larger elsewhere, 0 on Z.
void check_minimizes(const Data& data, const ProxNewton<Logistic>& fit, const std::vector<double>& b, double strength, double ridge, double tol) {
  const double most = 2 * ProxNewton<Logistic>::most_slack * tol;
  std::vector<double> residual(data.n);
  for (int i = 0; i < data.n; i++) {
    double eta = fit.free_coefs()[0] * data.Z[i] + fit.free_coefs()[1] * data.Z[data.n + i];
    for (int j = 0; j < data.p; j++) eta += data.X[j * data.n + i] * b[j];
    CHECK_CLOSE(fit.eta()[i], eta, 1e-9);
    residual[i] = data.v[i] * (data.y[i] - 1 / (1 + std::exp(-eta)));
  }
  for (int a = 0; a < 2; a++) {
    double g = 0;
    for (int i = 0; i < data.n; i++) g += data.Z[a * data.n + i] * residual[i];
    CHECK_CLOSE(g, 0.0, most * strength);
  }
  for (int j = 0; j < data.p; j++) {
    double g = -ridge * data.l2[j] * b[j];
    for (int i = 0; i < data.n; i++) g += data.X[j * data.n + i] * residual[i];
    const double limit = strength * data.l1[j];
    if (b[j] != 0)
      CHECK(std::fabs(g - (b[j] > 0 ? limit : -limit)) <= most * limit);
    else
      CHECK(std::fabs(g) <= limit * (1 + most));
  }
}

}  // namespace

TEST("every strength of a logistic path satisfies its optimality conditions, dense and compressed, with and without ridge") {
  const double tol = 1e-7;
  for (unsigned seed = 0; seed < 3; seed++)
    for (const bool compressed : {false, true})
      for (const double share : {0.0, 0.5})
        for (const int p : {8, 60}) {
          const Data data(40, p, seed);
          ProxNewton<Logistic> fit(data.loss(), data.free());
          fit.attach(data.columns(compressed), data.l1.data(), data.l2.data());
          std::vector<double> b(p);
          for (double strength = 0.1; strength > 4e-3; strength *= 0.7) {
            fit.solve(strength, share * strength, tol);
            fit.scatter(b.data());
            check_minimizes(data, fit, b, strength, share * strength, tol);
          }
        }
}

TEST("a far jump reaches the minimizer of the walk") {
  const Data data(40, 30, 5);
  ProxNewton<Logistic> walked(data.loss(), data.free()), jumped(data.loss(), data.free());
  walked.attach(data.columns(false), data.l1.data(), data.l2.data());
  jumped.attach(data.columns(false), data.l1.data(), data.l2.data());
  for (double strength = 0.1; strength > 0.01; strength *= 0.9) walked.solve(strength, 0.1 * strength, 1e-9);
  walked.solve(0.01, 0.001, 1e-9);
  jumped.solve(0.01, 0.001, 1e-9);
  std::vector<double> a(30), b(30);
  CHECK(walked.scatter(a.data()) == jumped.scatter(b.data()));
  for (int j = 0; j < 30; j++) CHECK_CLOSE(a[j], b[j], 1e-6);
}

TEST("the null model is the minimizer over the free columns alone, and reset returns to it") {
  const Data data(40, 10, 6);
  ProxNewton<Logistic> fit(data.loss(), data.free());
  const std::vector<double> start = fit.free_coefs();
  check_minimizes(data, fit, std::vector<double>(10), 1e9, 0, 1e-18);
  CHECK_CLOSE(fit.null_objective(), data.loss().value(fit.eta().data()), 1e-14);
  fit.attach(data.columns(false), data.l1.data(), data.l2.data());
  fit.solve(0.01, 0, 1e-6);
  CHECK(std::fabs(fit.free_coefs()[0] - start[0]) > 1e-6);
  fit.reset();
  for (int a = 0; a < 2; a++) CHECK_CLOSE(fit.free_coefs()[a], start[a], 1e-9);
}

TEST("the dual point is orthogonal to the free columns, inside the domain, and closes the gap at the minimizer") {
  const Data data(40, 20, 7);
  ProxNewton<Logistic> fit(data.loss(), data.free());
  fit.attach(data.columns(false), data.l1.data(), data.l2.data());
  fit.solve(0.02, 0, 1e-10);
  std::vector<double> theta(40);
  fit.dual_point(theta.data(), false);
  double scale = 1;
  for (int a = 0; a < 2; a++) {
    double g = 0;
    for (int i = 0; i < 40; i++) g += data.Z[a * 40 + i] * theta[i];
    CHECK_CLOSE(g, 0.0, 1e-14);
  }
  for (int j = 0; j < 20; j++) {
    double g = 0;
    for (int i = 0; i < 40; i++) g += data.X[j * 40 + i] * theta[i];
    scale = std::min(scale, 0.02 * data.l1[j] / std::fabs(g));
  }
  for (int i = 0; i < 40; i++) {
    const double inside = theta[i] * (2 * data.y[i] - 1);
    CHECK(inside >= 0);
    CHECK(inside <= data.v[i]);
  }
  const double gap = fit.objective(0.02, 0) - data.loss().dual(theta.data(), scale);
  CHECK(gap >= -1e-13);
  CHECK(gap <= 1e-9);
}
