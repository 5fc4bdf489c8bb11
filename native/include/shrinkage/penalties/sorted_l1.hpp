#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

// The sorted L1 norm sum_k lam_k |u|_(k), lam falling and |u|_(1) the largest: SLOPE.
namespace shrinkage {

// The falling sequence nearest to x, by pooling adjacent violators; `weights` may be null (all 1).
class Isotonic {
 public:
  void fall(int size, const double* x, const double* weights, double* out) {
    mean_.clear();
    weight_.clear();
    count_.clear();
    for (int i = 0; i < size; i++) {
      mean_.push_back(x[i]);
      weight_.push_back(weights ? weights[i] : 1.0);
      count_.push_back(1);
      while (mean_.size() > 1 && mean_[mean_.size() - 2] <= mean_.back()) pool();
    }
    for (std::size_t b = 0; b < mean_.size(); b++) out = std::fill_n(out, count_[b], mean_[b]);
  }

 private:
  void pool() {
    const std::size_t last = mean_.size() - 1;
    const double total = weight_[last - 1] + weight_[last];
    mean_[last - 1] += (mean_[last] - mean_[last - 1]) * (weight_[last] / total);
    weight_[last - 1] = total;
    count_[last - 1] += count_[last];
    mean_.pop_back();
    weight_.pop_back();
    count_.pop_back();
  }

  std::vector<double> mean_, weight_;
  std::vector<int> count_;
};

class SortedL1 {
 public:
  static constexpr double tie = 1e-12;  // sizes that differ by less, of the largest, are one cluster

  // lam (size at least that of any argument), falling
  explicit SortedL1(const double* lam) : lam_(lam) {}

  double value(int size, const double* u) {
    sort(size, u);
    double sum = 0;
    for (int k = 0; k < size; k++) sum += lam_[k] * std::fabs(u[order_[k]]);
    return sum;
  }

  // argmin over w of step sum_k lam_k |w|_(k) + 1/2 |w - v|^2
  void prox(int size, const double* v, double step, double* out) {
    sort(size, v);
    excess_.resize(size);
    pooled_.resize(size);
    for (int k = 0; k < size; k++) excess_[k] = std::fabs(v[order_[k]]) - step * lam_[k];
    isotonic_.fall(size, excess_.data(), nullptr, pooled_.data());
    for (int k = 0; k < size; k++) out[order_[k]] = pooled_[k] > 0 ? std::copysign(pooled_[k], v[order_[k]]) : 0.0;
  }

  // The largest coordinate of z minus the nearest subgradient at u: cluster by cluster a projection on a permutahedron.
  double violation(int size, const double* u, const double* z) {
    sort(size, u);
    own_ = order_;
    const double near = size ? tie * std::fabs(u[own_[0]]) : 0.0;
    double most = 0;
    for (int from = 0, to; from < size; from = to) {
      for (to = from + 1; to < size && std::fabs(u[own_[to - 1]]) - std::fabs(u[own_[to]]) <= near && (u[own_[to]] != 0) == (u[own_[from]] != 0);) to++;
      most = std::max(most, cluster_violation(from, to, u, z));
    }
    return most;
  }

  // Positions by falling |u|, after any of the above
  const std::vector<int>& order() const { return order_; }

  void sort(int size, const double* u) {
    order_.resize(size);
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(), [u](int a, int b) {
      const double x = std::fabs(u[a]), y = std::fabs(u[b]);
      return x > y || (x == y && a < b);
    });
  }

 private:
  double cluster_violation(int from, int to, const double* u, const double* z) {
    const bool zero = u[own_[from]] == 0;
    const int count = to - from;
    part_.resize(count);
    pooled_.resize(count);
    for (int k = 0; k < count; k++) {
      const int j = own_[from + k];
      part_[k] = zero ? std::fabs(z[j]) : std::copysign(1.0, u[j]) * z[j];
    }
    std::sort(part_.begin(), part_.end(), [](double a, double b) { return a > b; });
    for (int k = 0; k < count; k++) part_[k] -= lam_[from + k];
    isotonic_.fall(count, part_.data(), nullptr, pooled_.data());
    const double first = pooled_[0], last = pooled_[count - 1];  // it falls
    return zero ? std::max(first, 0.0) : std::max(std::fabs(first), std::fabs(last));
  }

  const double* lam_;
  Isotonic isotonic_;
  std::vector<int> order_, own_;
  std::vector<double> excess_, pooled_, part_;
};

}  // namespace shrinkage
