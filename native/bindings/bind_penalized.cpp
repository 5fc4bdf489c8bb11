#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>

#include "interrupts.hpp"
#include "shrinkage/restricted/concave_descent.hpp"
#include "shrinkage/restricted/sorted_descent.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;

enum class Concave { mcp, scad };

template <class Solver>
void solve_falling(Solver& solver, int size, const Vector& alphas, double tol, int most, const Vector& start, const OutMatrix& coefs,
                   const Counts& sweeps, const OutVector& objectives) {
  const double* from = start.data();
  for (size_t t = 0; t < alphas.shape(0); t++) {
    double* into = coefs.data() + t * coefs.stride(1);
    std::copy_n(from, size, into);
    sweeps(t) = solver.solve(alphas(t), tol, most, into);
    objectives(t) = solver.objective(into);
    from = into;
  }
}

// As `solve_falling`, each strength from the one before and from the lasso.
template <class Penalty>
void solve_from_two(shrinkage::TwoStarts<Penalty>& solver, int size, const Vector& alphas, double tol, int most, const Vector& start,
                    const OutMatrix& coefs, const Counts& sweeps, const OutVector& objectives) {
  const double* from = start.data();
  for (size_t t = 0; t < alphas.shape(0); t++) {
    double* into = coefs.data() + t * coefs.stride(1);
    std::copy_n(from, size, into);
    sweeps(t) = solver.solve(alphas(t), tol, most, into, objectives(t));
    from = into;
  }
}

void solve_concave(Concave kind, double gamma, const Matrix& hessian, const Vector& linear, const Vector& factors, const Vector& alphas, double tol,
                   int most, const Vector& start, const OutMatrix& coefs, const Counts& sweeps, const OutVector& objectives, bool two_starts) {
  const int size = static_cast<int>(linear.shape(0));
  const double* H = hessian.data();
  const Index ld = hessian.stride(1);
  const auto solve = [&](auto penalty) {
    using Penalty = decltype(penalty);
    if (two_starts) {
      shrinkage::TwoStarts<Penalty> solver(penalty, H, ld, linear.data(), factors.data(), size);
      solve_from_two(solver, size, alphas, tol, most, start, coefs, sweeps, objectives);
    } else {
      shrinkage::ConcaveDescent<Penalty> solver(penalty, H, ld, linear.data(), factors.data(), size);
      solve_falling(solver, size, alphas, tol, most, start, coefs, sweeps, objectives);
    }
  };
  without_gil([&] {
    if (kind == Concave::mcp)
      solve(shrinkage::Mcp{gamma});
    else
      solve(shrinkage::Scad{gamma});
  });
}

void solve_sorted(const Matrix& hessian, const Vector& linear, const Vector& weights, const Vector& alphas, double tol, int most, const Vector& start,
                  const OutMatrix& coefs, const Counts& sweeps, const OutVector& objectives) {
  const int size = static_cast<int>(linear.shape(0));
  without_gil([&] {
    shrinkage::SortedDescent solver(hessian.data(), hessian.stride(1), linear.data(), weights.data(), size);
    solve_falling(solver, size, alphas, tol, most, start, coefs, sweeps, objectives);
  });
}

double sorted_violation(const Vector& u, const Vector& z, const Vector& strengths) {
  return shrinkage::SortedL1(strengths.data()).violation(static_cast<int>(u.shape(0)), u.data(), z.data());
}

}  // namespace

void bind_penalized(nb::module_& m) {
  nb::enum_<Concave>(m, "Concave").value("mcp", Concave::mcp).value("scad", Concave::scad);
  m.def("solve_concave", &solve_concave, "kind"_a, "gamma"_a, "hessian"_a.noconvert(), "linear"_a.noconvert(), "factors"_a.noconvert(),
        "alphas"_a.noconvert(), "tol"_a, "most"_a, "start"_a.noconvert(), "coefs"_a.noconvert(), "sweeps"_a.noconvert(), "objectives"_a.noconvert(),
        "two_starts"_a = false, "Stationary points of a quadratic plus MCP or SCAD, each strength from the one before; or from the lasso, if lower.");
  m.def("solve_sorted", &solve_sorted, "hessian"_a.noconvert(), "linear"_a.noconvert(), "weights"_a.noconvert(), "alphas"_a.noconvert(), "tol"_a,
        "most"_a, "start"_a.noconvert(), "coefs"_a.noconvert(), "sweeps"_a.noconvert(), "objectives"_a.noconvert(),
        "Minima of a quadratic plus the sorted L1 norm, each strength from the one before.");
  m.def("sorted_violation", &sorted_violation, "u"_a.noconvert(), "z"_a.noconvert(), "strengths"_a.noconvert(),
        "The largest coordinate of z minus the nearest subgradient of the sorted L1 norm at u.");
}
