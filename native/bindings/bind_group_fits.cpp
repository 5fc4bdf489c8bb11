#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>

#include "interrupts.hpp"
#include "shrinkage/restricted/group_quadratic.hpp"
#include "shrinkage/restricted/group_scan.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::GroupQuadratic;
using shrinkage::GroupTermsView;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void append(GroupQuadratic& self, const Places& sizes, const Vector& lam, const Vector& l1, const Vector& l2) {
  std::int64_t total = 0;
  for (size_t g = 0; g < sizes.shape(0); g++) total += sizes(g);
  if (lam.shape(0) != sizes.shape(0) || static_cast<std::int64_t>(l1.shape(0)) != total || l2.shape(0) != l1.shape(0))
    throw std::invalid_argument("weights must hold one number per group, and one per column");
  self.append(sizes.data(), lam.data(), static_cast<std::int64_t>(sizes.shape(0)), l1.data(), l2.data());
}

void hold(GroupQuadratic& self, const Vector& lower, const Vector& upper, const Vector& units) {
  if (lower.shape(0) != self.coefficients().size() || upper.shape(0) != lower.shape(0) || static_cast<int>(units.shape(0)) != self.groups())
    throw std::invalid_argument("bounds must hold one number per coefficient, units one per group");
  self.hold(lower.data(), upper.data(), units.data());
}

void solve(GroupQuadratic& self, const Matrix& gram, const Vector& linear, const Vector& strengths, const Vector& ridges, double tol, int most,
           const OutMatrix& coefs, const Counts& steps) {
  if (linear.shape(0) != self.coefficients().size() || coefs.shape(0) != self.coefficients().size() ||
      static_cast<int>(gram.shape(0)) < self.columns() || static_cast<int>(gram.shape(1)) < self.columns() || gram.stride(0) != 1)
    throw std::invalid_argument("the quadratic must be that of the groups appended, column-major");
  without_gil([&] {
    for (size_t t = 0; t < strengths.shape(0); t++) {
      steps(t) = self.solve(gram.data(), gram.stride(1), linear.data(), strengths(t), ridges(t), tol, most);
      std::copy(self.coefficients().begin(), self.coefficients().end(), coefs.data() + t * coefs.shape(0));
    }
  });
}

void scan(const Places& starts, const Places& columns, const Vector& l1, const Vector& l2, const Vector& lam, const Vector& scale, int responses,
          const nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>& C, const OutMatrix& ratios,
          const std::optional<OutVector>& conjugates, const Vector& strengths, const Vector& ridges) {
  const GroupTermsView terms{starts.data(), columns.data(), l1.data(), l2.data(), lam.data(), scale.data(), static_cast<std::int64_t>(lam.shape(0)),
                             responses};
  const std::int64_t rows = static_cast<std::int64_t>(C.shape(0)), count = static_cast<std::int64_t>(C.shape(1));
  without_gil([&] {
    shrinkage::scan_groups(terms, C.data(), rows, count, ratios.data(), conjugates ? conjugates->data() : nullptr, strengths.data(), ridges.data());
  });
}

}  // namespace

void bind_group_fits(nb::module_& m) {
  nb::class_<GroupQuadratic>(m, "GroupQuadratic", "Minimizer of a quadratic plus a penalty on groups of columns, kept warm between strengths.")
      .def(nb::init<int>(), "responses"_a)
      .def("append", &append, "sizes"_a.noconvert(), "lam"_a.noconvert(), "l1"_a.noconvert(), "l2"_a.noconvert())
      .def("hold", &hold, "lower"_a.noconvert(), "upper"_a.noconvert(), "units"_a.noconvert())
      .def(
          "restart", [](GroupQuadratic& self, const Vector& coef) { self.restart(coef.data()); }, "coef"_a.noconvert())
      .def("solve", &solve, "gram"_a.noconvert(), "linear"_a.noconvert(), "strengths"_a.noconvert(), "ridges"_a.noconvert(), "tol"_a, "most"_a,
           "coefs"_a.noconvert(), "steps"_a.noconvert());
  m.def("scan_groups", &scan, "starts"_a.noconvert(), "columns"_a.noconvert(), "l1"_a.noconvert(), "l2"_a.noconvert(), "lam"_a.noconvert(),
        "scale"_a.noconvert(), "responses"_a, "correlations"_a.noconvert(), "ratios"_a.noconvert(), "conjugates"_a.noconvert().none(),
        "strengths"_a.noconvert(), "ridges"_a.noconvert());
}
