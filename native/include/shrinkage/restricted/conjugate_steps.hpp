#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

namespace shrinkage {

// Conjugate gradients, preconditioned by a Hessian H that is kept over many points, where the objective is smooth: on a
// support whose signs stand. A step along H^-1 r alone contracts by a constant factor; conjugate ones by nearly its square
// (Nocedal & Wright 2006, Numerical Optimization, section 5.2, Polak-Ribiere). Vectors: candidates, then the free block.
class ConjugateSteps {
 public:
  // The last step went from a point with residual r along z = H^-1 r; slope = r'z.
  void begin(const std::vector<double>& z, double slope) {
    direction_ = last_ = z;
    last_slope_ = slope;
  }

  // z = H^-1 r becomes the direction to go; returns r'z for it.
  double turn(const std::vector<double>& r, std::vector<double>& z) {
    const double slope = product(r, z);
    const bool known = direction_.size() == z.size() && last_slope_ > 0;
    const double beta = known ? std::max(0.0, (slope - product(r, last_)) / last_slope_) : 0.0;
    last_ = z;
    last_slope_ = slope;
    if (beta > 0)
      for (size_t i = 0; i < z.size(); i++) z[i] += beta * direction_[i];
    direction_ = z;
    return product(r, z);
  }

 private:
  static double product(const std::vector<double>& a, const std::vector<double>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

  std::vector<double> direction_, last_;  // the last direction, and the last H^-1 r
  double last_slope_ = 0;
};

// Where the walk to the last strength began. While the support stands the path is smooth in the strength, so that the
// next walk may set out along the last one.
struct Trail {
  double strength = 0;                         // 0: unknown
  std::vector<double> coefs, free_coefs, eta;  // coefs by column of the working set
};

}  // namespace shrinkage
