#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/kernels.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/support.hpp"

namespace shrinkage {

// c - Hb over a working set, b being the coefficients of a support: everywhere, or only where somebody asks.
class WorkingGradient {
 public:
  double operator[](int j) const { return values_[j]; }
  double& operator[](int j) { return values_[j]; }
  size_t size() const { return values_.size(); }
  const double* data() const { return values_.data(); }
  const std::vector<double>& values() const { return values_; }

  void resize(int size) {
    values_.resize(size);
    scattered_.assign(size, 0.0);
  }
  void assign(const double* values, int size) { std::copy_n(values, size, values_.begin()); }

  void update(const Support& support) {
    const Quadratic& q = support.quadratic;
    const int m = support.size();
    std::copy(q.linear, q.linear + q.size, values_.begin());
    scaled_.resize(m);
    for (int i = 0; i < m; i++) scaled_[i] = q.scale * support.coefficients()[i];
    kernels().subtract_columns(q.gram, q.ld, q.size, support.features().data(), m, scaled_.data(), values_.data());
    if (q.low_rank && m) {
      subtract_low_rank(q, support.features(), support.coefficients());
      linalg::gemv(linalg::Op::transpose, q.rank, q.size, -1.0, q.low_rank, static_cast<int>(q.ld_low_rank), low_rank_product_.data(), 1.0,
                   values_.data());
    }
    for (int i = 0; i < m; i++) values_[support.features()[i]] -= support.curvature_of_ridge(support.features()[i]) * support.coefficients()[i];
  }

  // The same of some coordinates that are not in the support.
  void update_outside(const Support& support, const std::vector<int>& outside) {
    const Quadratic& q = support.quadratic;
    const int m = support.size();
    for (int i = 0; i < m; i++) scattered_[support.features()[i]] = q.scale * support.coefficients()[i];
    scaled_.resize(outside.size());
    kernels().picked_dots(q.gram, q.ld, q.size, outside.data(), static_cast<Index>(outside.size()), scattered_.data(), scaled_.data());
    for (size_t k = 0; k < outside.size(); k++) values_[outside[k]] = q.linear[outside[k]] - scaled_[k];
    for (int i = 0; i < m; i++) scattered_[support.features()[i]] = 0;
    if (!q.low_rank || !m) return;
    subtract_low_rank(q, support.features(), support.coefficients());
    add_low_rank(q, outside, -1.0);
  }

  // On the support, when coordinates of it go to zero from these values.
  void leave_out(const Support& support, const std::vector<int>& coordinates, const std::vector<double>& from) {
    const Quadratic& q = support.quadratic;
    for (size_t k = 0; k < coordinates.size(); k++) {
      const double* column = q.gram + coordinates[k] * q.ld;
      for (int j : support.features()) values_[j] += q.scale * column[j] * from[k];
    }
    if (!q.low_rank) return;
    subtract_low_rank(q, coordinates, from);
    scaled_.resize(support.size());
    add_low_rank(q, support.features(), 1.0);
  }

  // Whether it is strength l1 sign on the support, up to tol strength l1.
  bool stationary(const Support& support, double strength, double tol) const {
    for (int i = 0; i < support.size(); i++) {
      const int j = support.features()[i];
      const double limit = strength * support.quadratic.l1[j];
      if (std::fabs(values_[j] - limit * support.signs()[i]) > tol * limit) return false;
    }
    return true;
  }

 private:
  // low_rank_product_ = - low_rank v, for v on some coordinates
  void subtract_low_rank(const Quadratic& q, const std::vector<int>& coordinates, const std::vector<double>& v) {
    low_rank_product_.assign(q.rank, 0.0);
    kernels().subtract_columns(q.low_rank, q.ld_low_rank, q.rank, coordinates.data(), static_cast<Index>(coordinates.size()), v.data(),
                               low_rank_product_.data());
  }

  // + sign low_rank' low_rank_product_, of some coordinates
  void add_low_rank(const Quadratic& q, const std::vector<int>& coordinates, double sign) {
    kernels().picked_dots(q.low_rank, q.ld_low_rank, q.rank, coordinates.data(), static_cast<Index>(coordinates.size()), low_rank_product_.data(),
                          scaled_.data());
    for (size_t k = 0; k < coordinates.size(); k++) values_[coordinates[k]] += sign * scaled_[k];
  }

  std::vector<double> values_, scattered_, scaled_, low_rank_product_;
};

}  // namespace shrinkage
