#include <vector>

#include "check.hpp"
#include "reference_blas.hpp"
#include "shrinkage/path/working_gram.hpp"

using namespace shrinkage;

TEST("a Gram matrix grown in steps holds every product of columns, in both triangles") {
  const Index n = 13, last = 450, ld = 460;
  check::Random random(3);
  const std::vector<double> Z = random.vector(n * last);
  std::vector<double> G(ld * ld, 7.0);
  Index old = 0;
  for (const Index size : {1, 17, 20, 145, 450}) {
    extend_gram(Z.data(), n, n, old, size, G.data(), ld);
    old = size;
  }
  for (Index a = 0; a < last; a++)
    for (Index b = 0; b < last; b++) {
      double sum = 0;
      for (Index i = 0; i < n; i++) sum += Z[i + a * n] * Z[i + b * n];
      CHECK_CLOSE(G[a + b * ld], sum, 1e-12);
    }
  CHECK(G[last] == 7.0 && G[last * ld] == 7.0);  // nothing is written beyond
}
