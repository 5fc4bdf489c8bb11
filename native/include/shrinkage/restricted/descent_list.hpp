#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "shrinkage/csc.hpp"
#include "shrinkage/descent_kernels.hpp"

namespace shrinkage {

// Some columns of many, side by side with their coefficients. Sweeps go to these again and again: scattered over all of
// them each would cost a few misses of the address translation, which take longer than its arithmetic.
class DescentList {
 public:
  Index count() const { return static_cast<Index>(list_.size()); }
  const int* list() const { return own_.data(); }  // 0 .. count - 1
  double* coef() { return coef_->data(); }

  DescentColumns columns() const {
    return {start_.data(), row_.data(), value_.data(), explained_.data(), rank_, square_.data(), l1_.data(), l2_.data()};
  }

  // The listed columns of X, and their coefficients (all columns x lanes).
  void take(const DescentColumns& X, const std::vector<int>& list, const double* coef) {
    list_ = list;
    rank_ = X.rank;
    own_.resize(list.size());
    std::iota(own_.begin(), own_.end(), 0);
    start_.assign(1, 0);
    row_.clear();
    value_.clear();
    explained_.clear();
    for (int j : list) {
      row_.insert(row_.end(), X.row + X.start[j], X.row + X.start[j + 1]);
      value_.insert(value_.end(), X.value + X.start[j], X.value + X.start[j + 1]);
      explained_.insert(explained_.end(), X.explained + Index(j) * rank_, X.explained + Index(j + 1) * rank_);
      start_.push_back(static_cast<std::int64_t>(row_.size()));
    }
    pick(X.square, square_);
    pick(X.l1, l1_);
    pick(X.l2, l2_);
    coef_ = std::make_unique<products::Aligned>(count() * descent_lanes);
    for (Index a = 0; a < count(); a++) std::copy_n(coef + Index(list_[a]) * descent_lanes, descent_lanes, coef_->data() + a * descent_lanes);
  }

  // The coefficients, back to their places among all.
  void give(double* coef) const {
    for (Index a = 0; a < count(); a++) std::copy_n(coef_->data() + a * descent_lanes, descent_lanes, coef + Index(list_[a]) * descent_lanes);
  }

 private:
  void pick(const double* from, std::vector<double>& into) const {
    into.resize(list_.size());
    for (std::size_t a = 0; a < list_.size(); a++) into[a] = from[list_[a]];
  }

  std::vector<int> list_, own_, row_;
  std::vector<std::int64_t> start_;
  std::vector<double> value_, explained_, square_, l1_, l2_;
  int rank_ = 0;
  std::unique_ptr<products::Aligned> coef_;  // (count x lanes)
};

}  // namespace shrinkage
