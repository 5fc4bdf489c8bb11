#pragma once
#include <cmath>
#include <limits>

// Penalties p(|u|) that rise with slope lam at 0 and bend to a constant: MCP and SCAD, in the letters of the Python twins.
namespace shrinkage {

// Where |u| lies: the penalty is a quadratic of curvature -bend for |u| in [low, high].
struct Piece {
  double low, high, bend;
};

struct Mcp {
  double gamma;

  double value(double size, double lam) const {
    const double bent = std::fmin(size, gamma * lam);
    return bent * (lam - 0.5 * bent / gamma);
  }

  double slope(double size, double lam) const { return std::fmax(lam - size / gamma, 0.0); }

  Piece piece(double size, double lam) const {
    const double knot = gamma * lam;
    if (size < knot) return {0.0, knot, 1.0 / gamma};
    return {knot, std::numeric_limits<double>::infinity(), 0.0};
  }

  // argmin over u >= 0 of h/2 u^2 - z u + p(u), a global one; z >= 0, h > 0
  double least(double z, double h, double lam) const {
    if (h * gamma <= 1.0) return z > lam * std::sqrt(h * gamma) ? z / h : 0.0;
    if (z <= lam) return 0.0;
    return z > h * gamma * lam ? z / h : std::fmin((z - lam) / (h - 1.0 / gamma), z / h);
  }
};

struct Scad {
  double gamma;

  double value(double size, double lam) const {
    const double to = std::fmin(size, gamma * lam), past = std::fmax(to - lam, 0.0);
    return lam * to - 0.5 * past * past / (gamma - 1.0);
  }

  double slope(double size, double lam) const { return std::fmin(lam, std::fmax(gamma * lam - size, 0.0) / (gamma - 1.0)); }

  Piece piece(double size, double lam) const {
    if (size < lam) return {0.0, lam, 0.0};
    if (size < gamma * lam) return {lam, gamma * lam, 1.0 / (gamma - 1.0)};
    return {gamma * lam, std::numeric_limits<double>::infinity(), 0.0};
  }

  double least(double z, double h, double lam) const {
    const double soft = std::fmax(z - lam, 0.0) / h, far = z / h, step = 1.0 / h;
    if (h * (gamma - 1.0) <= 1.0) {
      const double jump = step <= gamma + 1.0 ? 0.5 * (gamma + 1.0 + step) : std::sqrt(step * (gamma + 1.0));
      return far > lam * jump ? far : soft;
    }
    if (far > gamma * lam) return far;
    if (z <= (h + 1.0) * lam) return soft;
    return std::fmin(((gamma - 1.0) * z - gamma * lam) / ((gamma - 1.0) * h - 1.0), far);
  }
};

// argmin over u of h/2 u^2 - z u + p(|u|)
template <class Penalty>
double least_of(const Penalty& penalty, double z, double h, double lam) {
  return std::copysign(penalty.least(std::fabs(z), h, lam), z);
}

// How far g, minus the gradient of the smooth part, is from the slopes of the penalty at u.
template <class Penalty>
double lacking(const Penalty& penalty, double u, double g, double lam) {
  if (u == 0) return std::fmax(std::fabs(g) - lam, 0.0);
  return std::fabs(g - std::copysign(penalty.slope(std::fabs(u), lam), u));
}

}  // namespace shrinkage
