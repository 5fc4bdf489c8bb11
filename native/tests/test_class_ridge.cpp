#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/losses/logistic.hpp"
#include "shrinkage/restricted/class_ridge.hpp"

using namespace shrinkage;

namespace {

constexpr int classes = 3;

// A ridge of three classes with an intercept as the first of q columns; the rest, measured from `means`, may be compressed.
struct Data {
  int n, q;
  std::vector<double> F, Z, y, v, offset, values, means;
  std::vector<Index> starts{0};
  std::vector<int> row_of;

  Data(int rows, int count, unsigned seed) : n(rows), q(count), y(classes * rows, 0.0), means(count - 1) {
    check::Random random(seed);
    F = random.vector(n * q);
    offset = random.vector(classes * n);
    std::fill_n(F.begin(), n, 1.0);
    for (int j = 1; j < q; j++) {
      for (int i = 0; i < n; i++) {
        double& x = F[j * n + i];
        x = random.next() > 0 ? x : 0.0;
        if (x != 0) row_of.push_back(i), values.push_back(x);
      }
      starts.push_back(static_cast<Index>(values.size()));
      means[j - 1] = 0.1 * random.next();
      for (int i = 0; i < n; i++) F[j * n + i] -= means[j - 1];
    }
    Z.assign(classes * n * classes, 0.0);
    for (int i = 0; i < n; i++) {
      const double at = F[n + i] + 0.6 * random.next();
      y[(at > 0.2 ? 2 : at > -0.3 ? 1 : 0) * n + i] = 1;
      for (int k = 0; k < classes; k++) Z[k * classes * n + k * n + i] = 1;
    }
    for (int k = 0; k < classes; k++)
      for (int i = 0; i < n; i++) v.push_back((i % 5 == 4 ? 0.0 : 1.0 + i % 3) / n);
  }

  Multinomial loss() const {
    Multinomial l;
    l.rows = classes * n;
    l.classes = classes;
    l.y = y.data();
    l.weights = v.data();
    l.offset = offset.data();
    return l;
  }
  FreeBlock free() const { return FreeBlock(classes * n, classes, Z.data(), classes); }
  RidgeColumns columns(bool compressed) const {
    RidgeColumns x;
    x.classes = classes;
    x.dense.rows = x.dense.ld = n;
    x.dense.count = compressed ? 1 : q;
    x.dense.dense = F.data();
    if (!compressed) return x;
    x.sparse.rows = n;
    x.sparse.count = q - 1;
    x.sparse.starts = starts.data();
    x.sparse.row_of = row_of.data();
    x.sparse.values = values.data();
    x.means = means.data();
    return x;
  }
  // F B of class k in row i
  double predictor(const std::vector<double>& b, int i, int k) const {
    double sum = offset[k * n + i];
    for (int j = 0; j < q; j++) sum += F[j * n + i] * b[j * classes + k];
    return sum;
  }
};

}  // namespace

TEST("columns are those of the matrix, dense and compressed") {
  const Data data(17, 6, 1);
  check::Random random(2);
  const std::vector<double> B = random.vector(6 * classes), R = random.vector(17 * classes);
  for (const bool compressed : {false, true}) {
    const RidgeColumns x = data.columns(compressed);
    std::vector<double> out(17 * classes), back(6 * classes), squares(6 * classes), c = R;
    for (double& e : c) e *= e;
    x.times(B.data(), out.data());
    x.adjoint(R.data(), back.data());
    x.squares(c.data(), squares.data());
    for (int k = 0; k < classes; k++) {
      for (int i = 0; i < 17; i++) CHECK_CLOSE(out[k * 17 + i], data.predictor(B, i, k) - data.offset[k * 17 + i], 1e-14);
      for (int j = 0; j < 6; j++) {
        double wanted = 0, square = 0;
        for (int i = 0; i < 17; i++) wanted += data.F[j * 17 + i] * R[k * 17 + i], square += data.F[j * 17 + i] * data.F[j * 17 + i] * c[k * 17 + i];
        CHECK_CLOSE(back[j * classes + k], wanted, 1e-14);
        CHECK_CLOSE(squares[j * classes + k], square, 1e-14);
      }
    }
  }
}

TEST("the metric is the inverse of the Hessian of all classes") {
  const Data data(40, 5, 3);
  check::Random random(4);
  std::vector<double> w = random.vector(40 * classes), g = random.vector(5 * classes);
  for (double& e : w) e = 1.1 + e;
  const double level = (g[0] + g[1] + g[2]) / classes;  // no Hessian sees the same number for all classes of a free column
  for (int k = 0; k < classes; k++) g[k] -= level;
  ClassMetric metric(data.columns(false), 1);
  metric.factor(w.data(), 0.3);
  std::vector<double> x = g, moved(40 * classes), back(5 * classes);
  metric.solve(x);
  const RidgeColumns columns = data.columns(false);
  columns.times(x.data(), moved.data());
  RowCurvature(w.data(), 40 * classes, classes).apply(moved.data(), moved.data());
  columns.adjoint(moved.data(), back.data());
  for (int a = 0; a < 5 * classes; a++) CHECK_CLOSE(back[a] + (a < classes ? 0.0 : 0.3 * x[a]), g[a], 1e-6);
}

TEST("every strength has a gradient of 0, predictors that are its own, and a gap that is nearly 0; dense and compressed") {
  for (const bool compressed : {false, true})
    for (const int q : {3, 60}) {
      const Data data(50, q, 5);
      const Multinomial loss = data.loss();
      ClassRidge fit(loss, data.columns(compressed), 1, data.free(), loss.value(data.offset.data()));
      for (double alpha = 10; alpha > 1e-4; alpha *= 0.6) {
        CHECK(fit.solve(alpha, 1e-10, true) < 100);
        const std::vector<double>& b = fit.coefs();
        std::vector<double> still(150, 0.0), moved(150), r(150), w(150), g(classes * q);
        loss.sweep(fit.eta().data(), still.data(), 0, 0, moved.data(), r.data(), w.data());
        data.columns(false).adjoint(r.data(), g.data());
        for (int k = 0; k < classes; k++)
          for (int i = 0; i < 50; i++) CHECK_CLOSE(fit.eta()[k * 50 + i], data.predictor(b, i, k), 1e-11);
        for (int a = 0; a < classes * q; a++) {
          const double slope = -g[a] + (a < classes ? 0.0 : alpha * b[a]);
          CHECK(std::fabs(slope) < 1e-5);
          CHECK_CLOSE(slope, fit.gradient()[a], 1e-11);
        }
        CHECK(fit.gap() < 1e-9);
        CHECK(fit.gap() > -1e-14);
      }
    }
}

TEST("a jump far down ends where a walk in small steps ends") {
  const Data data(40, 8, 6);
  const Multinomial loss = data.loss();
  const double unit = loss.value(data.offset.data());
  ClassRidge walked(loss, data.columns(false), 1, data.free(), unit), jumped(loss, data.columns(false), 1, data.free(), unit);
  for (double alpha = 1; alpha > 1.5e-4; alpha *= 0.5) walked.solve(alpha, 1e-12, true);
  walked.solve(1e-4, 1e-12, true);
  jumped.solve(1e-4, 1e-12, true);
  for (int a = classes; a < classes * 8; a++) CHECK_CLOSE(walked.coefs()[a], jumped.coefs()[a], 1e-3);
}

TEST("a loss of one predictor has a gradient of 0 and a gap that is nearly 0 too, wherever it began") {
  const Data data(50, 6, 7);
  Logistic loss;
  loss.rows = 50;
  loss.y = data.y.data();
  loss.weights = data.v.data();
  loss.offset = data.offset.data();
  RidgeColumns x = data.columns(false);
  x.classes = 1;
  check::Random random(8);
  RidgeDescent<Logistic> fit(loss, x, 1, FreeBlock(50, 1, data.F.data()), 0.5);
  const std::vector<double> start = random.vector(6);
  fit.stand_at(start.data());
  for (double alpha = 1; alpha > 1e-4; alpha *= 0.5) {
    fit.solve(alpha, 1e-10, true);
    for (int j = 0; j < 6; j++) {
      double slope = j > 0 ? alpha * fit.coefs()[j] : 0.0;
      for (int i = 0; i < 50; i++) {
        double eta = data.offset[i];
        for (int m = 0; m < 6; m++) eta += data.F[m * 50 + i] * fit.coefs()[m];
        slope += data.v[i] * data.F[j * 50 + i] * (1 / (1 + std::exp(-eta)) - data.y[i]);
      }
      CHECK(std::fabs(slope) < 1e-5);
    }
    CHECK(fit.gap() < 1e-10);
    CHECK(fit.gap() > -1e-14);
  }
}
