#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

namespace shrinkage {

// Losses of one row: l(y, eta) >= 0 with least value 0, its first two derivatives in eta, its conjugate
// l*(y, u) = sup_eta u eta - l(y, eta), and the interval of u where that is finite. `reach` is a change of eta over which
// a slope may be continued by the curvature; `hessian` is the curvature that a quadratic model of the row uses.

inline double exp_capped(double x) { return std::exp(std::min(x, 600.0)); }
inline double expm1_capped(double x) { return std::expm1(std::min(x, 600.0)); }
inline double one_plus_log1p(double r) { return r > -1 ? (1 + r) * std::log1p(r) : r < -1 ? std::numeric_limits<double>::infinity() : 0.0; }
inline double x_log_x(double s) { return s > 0 ? s * std::log(s) : s < 0 ? std::numeric_limits<double>::infinity() : 0.0; }
inline double sigmoid(double z) {
  const double e = std::exp(-std::fabs(z));
  return (z >= 0 ? 1 : e) / (1 + e);
}

struct SquaredRow {
  static constexpr double reach = std::numeric_limits<double>::infinity();
  static constexpr double hessian(double, double, double, double curvature) { return curvature; }
  void derivatives(double y, double eta, double& slope, double& curvature) const {
    slope = eta - y;
    curvature = 1;
  }
  double value(double y, double eta) const { return 0.5 * (y - eta) * (y - eta); }
  double conjugate(double y, double u) const { return u * (y + 0.5 * u); }
  double lower(double) const { return -std::numeric_limits<double>::infinity(); }
  double upper(double) const { return std::numeric_limits<double>::infinity(); }
};

struct PoissonRow {
  static constexpr double reach = 0.5;
  static constexpr double hessian(double, double, double, double curvature) { return curvature; }
  void derivatives(double y, double eta, double& slope, double& curvature) const {
    curvature = exp_capped(eta);
    slope = curvature - y;
  }
  double value(double y, double eta) const {
    if (y <= 0) return exp_capped(eta);
    const double d = eta - std::log(y);
    return y * std::max(0.0, expm1_capped(d) - d);
  }
  double conjugate(double y, double u) const {
    if (y <= 0) return x_log_x(u) - u;
    const double ratio = u / y;
    return y * (one_plus_log1p(ratio) - ratio) + u * std::log(y);
  }
  double lower(double y) const { return -y; }
  double upper(double) const { return std::numeric_limits<double>::infinity(); }
};

struct GammaRow {
  static constexpr double reach = 0.5;
  static constexpr double hessian(double, double, double, double curvature) { return curvature; }
  void derivatives(double y, double eta, double& slope, double& curvature) const {
    curvature = y * exp_capped(-eta);
    slope = 1 - curvature;
  }
  double value(double y, double eta) const {
    const double d = eta - std::log(y);
    return std::max(0.0, expm1_capped(-d) + d);
  }
  double conjugate(double y, double u) const { return u * std::log(y) + one_plus_log1p(-u) + u; }
  double lower(double) const { return -std::numeric_limits<double>::infinity(); }
  double upper(double) const { return 1; }
};

// Variance mu^power, 1 < power < 2; a = 2 - power, b = power - 1.
struct TweedieRow {
  static constexpr double reach = 0.5;
  static constexpr double hessian(double, double, double, double curvature) { return curvature; }
  double a, b;

  void derivatives(double y, double eta, double& slope, double& curvature) const {
    const double up = exp_capped(a * eta), down = y > 0 ? y * exp_capped(-b * eta) : 0.0;
    slope = up - down;
    curvature = a * up + b * down;
  }
  double value(double y, double eta) const {
    if (y <= 0) return exp_capped(a * eta) / a;
    const double log_y = std::log(y);
    return std::exp(a * log_y) * unit_value(eta - log_y);
  }
  double conjugate(double y, double u) const {
    if (y <= 0) return (x_log_x(u) - u) / a;
    const double log_y = std::log(y), scale = std::exp(a * log_y), slope = u / scale;
    const double d = slope >= 0 ? log_root(slope, b / a) / a : -log_root(-slope, a / b) / b;
    return u * log_y + scale * (slope * d - unit_value(d));
  }
  double lower(double y) const { return y > 0 ? -std::numeric_limits<double>::infinity() : 0.0; }
  double upper(double) const { return std::numeric_limits<double>::infinity(); }

 private:
  double unit_value(double d) const { return std::max(0.0, expm1_capped(a * d) / a + expm1_capped(-b * d) / b); }  // l(1, d)

  // x >= 0 with exp(x) - exp(-c x) = v >= 0. s = exp(x) solves s - s^-c = v, which is concave: Newton rises to the root
  // from below. A last step in x itself gives small roots their relative precision.
  static double log_root(double v, double c) {
    double s = std::max(1.0, v);
    for (int k = 0; k < 100; k++) {
      const double power = std::pow(s, -c), step = (v + power - s) / (1 + c * power / s);
      s += step;
      if (!(std::fabs(step) > 1e-9 * s)) break;
    }
    double x = std::log(s);
    for (int k = 0; k < 2; k++) x -= (expm1_capped(x) - std::expm1(-c * x) - v) / (std::exp(x) + c * std::exp(-c * x));
    return x;
  }
};

// Variance mu + mu^2 / theta.
struct NegativeBinomialRow {
  static constexpr double reach = 0.5;
  static constexpr double hessian(double, double, double, double curvature) { return curvature; }
  double theta, log_theta;

  void derivatives(double y, double eta, double& slope, double& curvature) const {
    const double z = eta - log_theta, share = sigmoid(z), rest = sigmoid(-z);
    slope = theta * share - y * rest;
    curvature = (y + theta) * share * rest;
  }
  double value(double y, double eta) const {
    if (y <= 0) {
      const double z = eta - log_theta;
      return theta * (std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))));
    }
    const double d = eta - std::log(y), total = y + theta;
    const double share = (d > 0 ? theta : y) / total, less = d > 0 ? theta * d : -y * d;
    return std::max(0.0, total * std::log1p(share * std::expm1(-std::fabs(d))) + less);
  }
  double conjugate(double y, double u) const {
    const double counted = y > 0 ? y * one_plus_log1p(u / y) + u * std::log(y) : x_log_x(u);
    return counted + theta * one_plus_log1p(-u / theta);
  }
  double lower(double y) const { return -y; }
  double upper(double) const { return theta; }
};

// max over low <= s <= high of s r - width s^2 / 2, r = y - eta: Huber with low = -delta, high = delta, width = 1; the
// smoothed pinball loss with low = q - 1, high = q.
struct ClippedRow {
  double low, high, width, reach;

  double side(double r) const { return std::min(high, std::max(low, r / width)); }
  void derivatives(double y, double eta, double& slope, double& curvature) const {
    const double s = side(y - eta);
    slope = -s;
    curvature = s > low && s < high ? 1 / width : 0.0;
  }
  // Rows on the straight parts have no curvature, and a model without them has no minimum where few others are left: they
  // get a thousandth of that of the parabola that touches the loss there and bounds it from above.
  double hessian(double y, double eta, double slope, double curvature) const { return std::max(curvature, 1e-3 * std::fabs(slope / (y - eta))); }
  double value(double y, double eta) const {
    const double r = y - eta, s = side(r);
    return s * (r - 0.5 * width * s);
  }
  double conjugate(double y, double u) const {
    return u >= -high && u <= -low ? u * y + 0.5 * width * u * u : std::numeric_limits<double>::infinity();
  }
  double lower(double) const { return -high; }
  double upper(double) const { return -low; }
};

}  // namespace shrinkage
