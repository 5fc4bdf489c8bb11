#include "check.hpp"
#include "shrinkage/restricted/residual_descent.hpp"

using namespace shrinkage;

namespace {

// Sparse columns with a constant one and a copy, row weights with zeros, and a basis of two directions.
struct Data {
  Index rows, columns;
  std::vector<Index> indptr{0};
  std::vector<int> indices;
  std::vector<double> data, roots, Q, y, l1, l2, projected;
  CscView view;

  Data(Index n, Index p, unsigned seed) : rows(n), columns(p), roots(n), Q(2 * n), l1(p), l2(p), projected(n * p) {
    check::Random random(seed);
    for (Index j = 0; j < p; j++) {
      for (Index i = 0; i < n; i++) {
        if (j == 3) {
          indices.push_back(static_cast<int>(i));
          data.push_back(1.0);
        } else if (random.next() > 0.4) {
          indices.push_back(static_cast<int>(i));
          data.push_back(random.next());
        }
      }
      indptr.push_back(static_cast<Index>(indices.size()));
      l1[j] = 1 + 0.5 * random.next();
      l2[j] = 1 + 0.5 * random.next();
    }
    for (Index i = 0; i < n; i++) roots[i] = i % 7 == 0 ? 0.0 : 1 + 0.5 * random.next();
    y = random.vector(n);
    for (Index i = 0; i < n; i++) y[i] *= roots[i];
    make_basis(random);
    project(y.data());
    for (Index j = 0; j < p; j++) {
      for (Index k = indptr[j]; k < indptr[j + 1]; k++) projected[j * n + indices[k]] = roots[indices[k]] * data[k];
      project(&projected[j * n]);
    }
    view = CscView{indptr.data(), indices.data(), data.data(), false, n, p};
  }

  void make_basis(check::Random& random) {
    for (int r = 0; r < 2; r++) {
      for (Index i = 0; i < rows; i++) Q[2 * i + r] = r == 0 ? roots[i] : roots[i] * random.next();
      if (r == 1) {
        double s = 0;
        for (Index i = 0; i < rows; i++) s += Q[2 * i] * Q[2 * i + 1];
        for (Index i = 0; i < rows; i++) Q[2 * i + 1] -= s * Q[2 * i];
      }
      double square = 0;
      for (Index i = 0; i < rows; i++) square += Q[2 * i + r] * Q[2 * i + r];
      for (Index i = 0; i < rows; i++) Q[2 * i + r] /= std::sqrt(square);
    }
  }

  void project(double* column) const {
    for (int r = 0; r < 2; r++) {
      double s = 0;
      for (Index i = 0; i < rows; i++) s += Q[2 * i + r] * column[i];
      for (Index i = 0; i < rows; i++) column[i] -= s * Q[2 * i + r];
    }
  }

  double correlation(Index j, const std::vector<double>& r) const {
    double s = 0;
    for (Index i = 0; i < rows; i++) s += projected[j * rows + i] * r[i];
    return s;
  }

  double largest_strength() const {
    double most = 0;
    for (Index j = 0; j < columns; j++) most = std::max(most, std::fabs(correlation(j, y)) / l1[j]);
    return most;
  }

  // the conditions of a minimizer, from the projected columns written out
  void check_minimizes(const double* b, double strength, double ridge, double tol) const {
    std::vector<double> r = y;
    for (Index j = 0; j < columns; j++)
      for (Index i = 0; i < rows; i++) r[i] -= projected[j * rows + i] * b[j];
    for (Index j = 0; j < columns; j++) {
      const double c = correlation(j, r) - ridge * l2[j] * b[j], limit = strength * l1[j];
      if (b[j] != 0)
        CHECK_CLOSE(c, b[j] > 0 ? limit : -limit, tol);
      else
        CHECK(std::fabs(c) <= limit + tol);
    }
  }
};

std::vector<Index> all(Index p) {
  std::vector<Index> features(p);
  for (Index j = 0; j < p; j++) features[j] = j;
  return features;
}

}  // namespace

TEST("every strength of more than two panels is minimized, with and without a ridge, and a constant column stays out") {
  const Data X(60, 40, 1);
  const auto features = all(X.columns);
  const double top = X.largest_strength();
  for (const double ridge : {0.0, 0.3}) {
    ResidualDescent descent(X.rows, X.roots.data(), X.Q.data(), 2, X.y.data());
    descent.append(X.view, features.data(), X.columns, X.l1.data(), X.l2.data());
    const Index count = 19;
    std::vector<double> strengths(count), ridges(count), coefs(X.columns * count);
    std::unique_ptr<bool[]> known(new bool[count]());
    for (Index t = 0; t < count; t++) {
      strengths[t] = top * std::pow(0.75, static_cast<double>(t));
      ridges[t] = ridge * strengths[t];
    }
    CHECK(descent.solve(strengths.data(), ridges.data(), count, 1e-12, 5000, known.get(), coefs.data()) < 5000);
    CHECK(descent.largest_gap() <= 1e-12);
    for (Index t = 0; t < count; t++) {
      X.check_minimizes(&coefs[t * X.columns], strengths[t], ridges[t], 1e-5);
      CHECK(coefs[t * X.columns + 3] == 0);
    }
    for (Index j = 0; j < X.columns; j++)
      if (coefs[(count - 1) * X.columns + j] != 0) CHECK(descent.is_near(static_cast<int>(j)));
  }
}

TEST("a start that is known is where sweeps begin, and columns may join later") {
  const Data X(50, 30, 2);
  const auto features = all(X.columns);
  const double top = X.largest_strength(), strengths[] = {0.4 * top, 0.2 * top, 0.05 * top}, ridges[] = {0, 0, 0};
  ResidualDescent descent(X.rows, X.roots.data(), X.Q.data(), 2, X.y.data());
  descent.append(X.view, features.data(), 10, X.l1.data(), X.l2.data());
  std::vector<double> coefs(30), more(X.columns);
  const bool unknown[] = {false, false, false}, known = true;
  descent.solve(strengths, ridges, 3, 1e-14, 5000, unknown, coefs.data());
  CHECK(descent.solve(strengths, ridges, 1, 1e-13, 5000, &known, coefs.data()) == 0);  // not from the last strength
  descent.append(X.view, features.data() + 10, X.columns - 10, X.l1.data() + 10, X.l2.data() + 10);
  std::copy_n(coefs.data(), 10, more.data());
  descent.solve(strengths, ridges, 1, 1e-13, 5000, &known, more.data());
  X.check_minimizes(more.data(), strengths[0], 0, 1e-5);
}

TEST("sweeps that do not suffice are told by the gap") {
  const Data X(60, 40, 3);
  const auto features = all(X.columns);
  const double strength = 0.01 * X.largest_strength(), ridge = 0;
  ResidualDescent descent(X.rows, X.roots.data(), X.Q.data(), 2, X.y.data());
  descent.append(X.view, features.data(), X.columns, X.l1.data(), X.l2.data());
  std::vector<double> coefs(X.columns);
  const bool known = false;
  descent.solve(&strength, &ridge, 1, 1e-15, 1, &known, coefs.data());
  CHECK(descent.largest_gap() > 1e-15);
}

TEST("extrapolation finds the limit of steps that shrink along lines") {
  constexpr int m = descent_memory, n = 2;
  double history[(m + 1) * n * descent_lanes], products[m * (m + 1) / 2 * descent_lanes], shares[m * descent_lanes], limit[n * descent_lanes];
  for (int u = 0; u <= m; u++)
    for (int t = 0; t < descent_lanes; t++) {
      history[(u * n + 0) * descent_lanes + t] = 3 + std::pow(0.9, u) * (1 + t);
      history[(u * n + 1) * descent_lanes + t] = -1 + std::pow(-0.5, u);
    }
  kernels().descent_step_products(history, n, products);
  extrapolation_shares(products, shares);
  kernels().descent_combine_steps(history, n, shares, limit);
  for (int t = 0; t < descent_lanes; t++) {
    double total = 0;
    for (int u = 0; u < m; u++) total += shares[u * descent_lanes + t];
    CHECK_CLOSE(total, 1.0, 1e-12);
    CHECK_CLOSE(limit[t], 3.0, 1e-3);
    CHECK_CLOSE(limit[descent_lanes + t], -1.0, 1e-3);
  }
}

TEST("steps that vanish leave the last iterate") {
  double products[descent_memory * (descent_memory + 1) / 2 * descent_lanes] = {}, shares[descent_memory * descent_lanes];
  extrapolation_shares(products, shares);
  for (int u = 0; u < descent_memory; u++) CHECK(shares[u * descent_lanes] == (u == descent_memory - 1 ? 1.0 : 0.0));
}
