#include <vector>

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/path/first_pass.hpp"

using namespace shrinkage;

TEST("the first pass gives products and centered squares, by columns, by rows and in single precision") {
  for (const bool centered : {true, false})
    for (const int form : {0, 1, 2}) {
      const Index n = 70, p = 300;
      check::Random random(11);
      std::vector<double> X = random.vector(n * p), r = random.vector(n), share(n, 1.0 / static_cast<double>(n));
      for (double& v : X) v = static_cast<float>(v + 50);
      std::vector<float> single(X.begin(), X.end());
      const bool narrow = form == 2, by_rows = form == 1;
      const DenseView view{narrow ? static_cast<const void*>(single.data()) : X.data(), narrow, n, p, by_rows ? p : 1, by_rows ? 1 : n};
      std::vector<double> C(p), squares(p);
      products::first_pass(view, r.data(), 1, share.data(), centered, C.data(), squares.data());
      for (Index j = 0; j < p; j++) {
        double c = 0, mean = 0, square = 0;
        for (Index i = 0; i < n; i++) c += X[by_rows ? i * p + j : i + j * n] * r[i];
        for (Index i = 0; i < n && centered; i++) mean += X[by_rows ? i * p + j : i + j * n] / static_cast<double>(n);
        for (Index i = 0; i < n; i++) square += (X[by_rows ? i * p + j : i + j * n] - mean) * (X[by_rows ? i * p + j : i + j * n] - mean) * share[i];
        CHECK_CLOSE(C[j], c, 1e-11);
        CHECK_CLOSE(squares[j], square, 1e-11);
      }
    }
}
