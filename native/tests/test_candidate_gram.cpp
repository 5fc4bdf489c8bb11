#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/restricted/candidate_gram.hpp"

using namespace shrinkage;

namespace {

constexpr int n = 60, p = 9;

// Columns with an intercept and one free column; columns 4 and 6 are the same.
struct Data {
  std::vector<double> X, Z, v, values;
  std::vector<Index> starts{0};
  std::vector<int> row_of;

  Data() {
    check::Random random(3);
    X = random.vector(n * p);
    for (double& x : X) x = x > -0.4 ? x : 0.0;
    std::copy_n(X.begin() + 4 * n, n, X.begin() + 6 * n);
    Z = random.vector(2 * n);
    std::fill_n(Z.begin(), n, 1.0);
    for (int i = 0; i < n; i++) v.push_back(i % 5 == 0 ? 0.0 : (1.5 + random.next()) / n);
    for (int j = 0; j < p; j++) {
      for (int i = 0; i < n; i++)
        if (X[j * n + i] != 0) {
          row_of.push_back(i);
          values.push_back(X[j * n + i]);
        }
      starts.push_back(static_cast<Index>(values.size()));
    }
  }

  Columns columns(bool compressed) const {
    Columns x;
    x.rows = n;
    x.count = p;
    x.ld = n;
    x.starts = starts.data();
    x.row_of = row_of.data();
    x.values = values.data();
    if (!compressed) x.dense = X.data();
    return x;
  }

  FreeBlock free() const {
    FreeBlock block(n, 2, Z.data());
    block.factor(v.data());
    return block;
  }

  double dot(const double* a, const double* b) const {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += v[i] * a[i] * b[i];
    return sum;
  }

  // x_i' D x_j without what the free block explains, by the inverse of a 2 x 2 matrix
  double entry(int i, int j) const {
    const double *x = X.data() + i * n, *y = X.data() + j * n, *one = Z.data(), *z = Z.data() + n;
    const double a = dot(one, one), b = dot(one, z), d = dot(z, z), det = a * d - b * b;
    const double x1 = dot(x, one), xz = dot(x, z), y1 = dot(y, one), yz = dot(y, z);
    return dot(x, y) - (d * x1 * y1 - b * (x1 * yz + xz * y1) + a * xz * yz) / det;
  }
};

const std::vector<int> picked{7, 2, 4, 0, 6, 8};

void check_entries(const CandidateGram& gram, const Data& data) {
  for (size_t i = 0; i < picked.size(); i++)
    for (size_t j = 0; j < picked.size(); j++) CHECK_CLOSE(gram.column(j)[i], data.entry(picked[i], picked[j]), 1e-14);
}

}  // namespace

TEST("the Hessian of all candidates at once is its definition, both triangles, dense and compressed") {
  const Data data;
  for (bool compressed : {false, true}) {
    CandidateGram gram;
    gram.compute(data.columns(compressed), data.free(), picked, 0, data.v.data());
    check_entries(gram, data);
  }
}

TEST("candidates appended later give the same Hessian") {
  const Data data;
  for (bool compressed : {false, true}) {
    CandidateGram gram;
    const std::vector<int> first(picked.begin(), picked.begin() + 2);
    gram.compute(data.columns(compressed), data.free(), first, 0, data.v.data());
    gram.compute(data.columns(compressed), data.free(), picked, 2, data.v.data());
    check_entries(gram, data);
  }
}

TEST("identical columns have identical entries, diagonal included: else copies would take turns for ever") {
  const Data data;
  for (bool compressed : {false, true}) {
    CandidateGram gram;
    gram.compute(data.columns(compressed), data.free(), picked, 0, data.v.data());
    CHECK_CLOSE(gram.column(2)[2], gram.column(4)[2], 1e-15);
    CHECK_CLOSE(gram.column(2)[2], gram.column(4)[4], 1e-15);
  }
}
