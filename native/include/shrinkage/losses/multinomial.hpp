#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// sum_i v_i l(y_i, eta_i),  l = log sum_k exp(eta_ik) - sum_k y_ik eta_ik,  y_i the unit vector of a class. Owns nothing.
// Rows of class after class: y, weights and offset have rows = n classes entries, weights repeated for every class.
// The same offers to ProxNewton as Logistic's; a curvature is the weights v_i p_ik of a RowCurvature.
struct Multinomial {
  static constexpr double least_curvature = 1e-9;  // of a probability, in the Hessian only
  static constexpr bool kinked() { return false; }
  static constexpr double least_objective() { return 1e-3; }  // what is smaller is rounding
  Index rows = 0;
  int classes = 2;
  const double* y = nullptr;
  const double* weights = nullptr;
  const double* offset = nullptr;  // or null for zeros

  Index samples() const { return rows / classes; }

  // moved = eta + t step; residual = -v l', curvature = v max(p, floor) at moved; returns residual'step
  double sweep(const double* eta, const double* step, double t, double floor, double* moved, double* residual, double* curvature) const {
    const Index n = samples();
    for (Index i = 0; i < rows; i++) moved[i] = eta[i] + t * step[i];
    double along = 0;
    for (Index i = 0; i < n; i++) {
      double top = moved[i], total = 0, others = 0;
      for (int k = 1; k < classes; k++) top = std::max(top, moved[k * n + i]);
      for (int k = 0; k < classes; k++) total += curvature[k * n + i] = std::exp(moved[k * n + i] - top);
      for (int k = 0; k < classes; k++) {
        const Index at = k * n + i;
        const double p = curvature[at] / total;
        if (y[at] <= 0) others += p;
        residual[at] = -weights[at] * p;
        curvature[at] = weights[at] * std::max(p, floor);
      }
      for (int k = 0; k < classes; k++) {
        const Index at = k * n + i;
        if (y[at] > 0) residual[at] = weights[at] * others;  // 1 - p, where that rounds to 0 too
        along += residual[at] * step[at];
      }
    }
    return along;
  }

  // curvature = v p where the residuals are -v l'
  void curvature(const double*, const double* residual, double* curvature) const {
    for (Index i = 0; i < rows; i++) curvature[i] = std::max(0.0, weights[i] * y[i] - residual[i]);
  }

  double value(const double* eta) const {
    const Index n = samples();
    double sum = 0;
    for (Index i = 0; i < n; i++) {
      if (!(weights[i] > 0)) continue;
      int own = 0, best = 0;
      for (int k = 1; k < classes; k++) {
        if (y[k * n + i] > 0) own = k;
        if (eta[k * n + i] > eta[best * n + i]) best = k;
      }
      const double top = eta[best * n + i];
      double others = 0;
      for (int k = 0; k < classes; k++)
        if (k != best) others += std::exp(eta[k * n + i] - top);
      sum += weights[i] * ((top - eta[own * n + i]) + std::log1p(others));
    }
    return sum;
  }

  // The dual objective at scale * theta, without the penalty's part. y - theta / v must be probabilities.
  double dual(const double* theta, double scale) const {
    double sum = 0;
    for (Index i = 0; i < rows; i++) {
      if (!(weights[i] > 0)) continue;
      const double moved = scale * theta[i] / weights[i];
      const double entropy = y[i] > 0 ? one_plus_log1p(-moved) : x_log_x(-moved);
      sum -= weights[i] * (entropy + (offset ? moved * offset[i] : 0.0));
    }
    return sum;
  }

  // How far eta may move for residual - curvature * change to stay a point of the dual domain:
  // p - C t = p (1 - t + mean of t).
  double reach() const { return 0.5; }
  void shrink(double*) const {}

  // Scale the rows of each class down, so that theta sums to zero in every class. The sums M[k][c] of class k over the rows
  // whose answer is c, negated, are the rates of a Markov chain that leaves c for k; its stationary distribution is the scale.
  void balance(double* theta) const {
    const Index n = samples();
    const std::vector<int> answers = answers_of();
    std::vector<double> rates(static_cast<size_t>(classes) * classes, 0.0);  // rates[c classes + k]: from c to k
    for (Index i = 0; i < n; i++)
      for (int k = 0; k < classes; k++)
        if (k != answers[i]) rates[answers[i] * classes + k] -= theta[k * n + i];
    const std::vector<double> scale = stationary(rates);
    for (Index i = 0; i < n; i++)
      for (int k = 0; k < classes; k++) theta[k * n + i] *= scale[answers[i]];
  }

 private:
  static double one_plus_log1p(double r) { return r > -1 ? (1 + r) * std::log1p(r) : 0.0; }
  static double x_log_x(double s) { return s > 0 ? s * std::log(s) : 0.0; }

  std::vector<int> answers_of() const {
    const Index n = samples();
    std::vector<int> answers(n, 0);
    for (int k = 1; k < classes; k++)
      for (Index i = 0; i < n; i++)
        if (y[k * n + i] > 0) answers[i] = k;
    return answers;
  }

  // Grassmann, Taksar & Heyman (1985): states are taken out from the last on, with no subtraction. Largest entry 1.
  std::vector<double> stationary(std::vector<double> rates) const {
    const int size = classes;
    std::vector<double> leaving(size, 0.0), share(size, 0.0);
    int first = size - 1;
    for (; first > 0; first--) {
      for (int k = 0; k < first; k++) leaving[first] += rates[first * size + k];
      if (!(leaving[first] > 0)) break;  // nothing leaves: the chain ends here, and in states that were taken out
      for (int c = 0; c < first; c++)
        for (int k = 0; k < first; k++)
          if (k != c) rates[c * size + k] += rates[c * size + first] * rates[first * size + k] / leaving[first];
    }
    share[first] = 1;
    double largest = 1;
    for (int s = first + 1; s < size; s++) {
      for (int c = first; c < s; c++) share[s] += share[c] * rates[c * size + s] / leaving[s];
      largest = std::max(largest, share[s]);
    }
    for (double& value : share) value /= largest;
    return share;
  }
};

}  // namespace shrinkage
