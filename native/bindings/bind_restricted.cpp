#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "interrupts.hpp"
#include "shrinkage/restricted/active_set.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::ActiveSet;
using shrinkage::Index;
using shrinkage::Quadratic;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;

// gram and low_rank may be the leading columns of wider arrays: unit stride down a column, any stride between columns
Quadratic quadratic(const Matrix& gram, double scale, const std::optional<Matrix>& low_rank, const Vector& linear, const Vector& l1,
                    const std::optional<Vector>& l2, double ridge) {
  Quadratic q;
  q.gram = gram.data();
  q.ld = gram.stride(1);
  q.size = static_cast<int>(linear.shape(0));
  q.scale = scale;
  if (low_rank && low_rank->shape(0) > 0) {
    q.low_rank = low_rank->data();
    q.rank = static_cast<int>(low_rank->shape(0));
    q.ld_low_rank = low_rank->stride(1);
  }
  q.linear = linear.data();
  q.l1 = l1.data();
  q.l2 = l2 ? l2->data() : nullptr;
  q.ridge = ridge;
  return q;
}

void solve_strengths(ActiveSet& self, const Matrix& gram, double scale, const std::optional<Matrix>& low_rank, const Vector& linear, const Vector& l1,
                     const std::optional<Vector>& l2, const Vector& strengths, const Vector& ridges, double tol, const OutMatrix& coefs,
                     const Counts& steps, const Counts& supports, const std::optional<OutMatrix>& gradients) {
  for (size_t t = 0; t < strengths.shape(0); t++)
    if (!(strengths(t) >= 0)) throw std::invalid_argument("strengths must be >= 0; got " + std::to_string(strengths(t)));
  const Quadratic q = quadratic(gram, scale, low_rank, linear, l1, l2, ridges(0));
  double* into = coefs.data();
  const Index ld = coefs.stride(1);
  without_gil([&] {
    self.attach(q);
    for (size_t t = 0; t < strengths.shape(0); t++) {
      self.set_ridge(ridges(t));
      steps(t) = self.solve_continued(strengths(t), tol);
      supports(t) = self.support_size();
      std::fill_n(into + t * ld, q.size, 0.0);
      for (int i = 0; i < self.support_size(); i++) into[t * ld + self.support()[i]] = self.coefficients()[i];
      if (gradients) std::copy_n(self.gradient().data(), q.size, gradients->data() + t * gradients->stride(1));
    }
  });
}

}  // namespace

void bind_restricted(nb::module_& m) {
  nb::class_<ActiveSet>(m, "ActiveSet", "Exact minimizer of a quadratic plus a weighted L1 norm, kept warm between strengths.")
      .def(
          "__init__",
          [](ActiveSet* self, int max_support) {
            new (self) ActiveSet();
            self->set_max_support(max_support);
          },
          "max_support"_a)
      .def_prop_rw("max_support", &ActiveSet::max_support, &ActiveSet::set_max_support)
      .def_prop_ro("support_size", &ActiveSet::support_size)
      .def_prop_ro("last_strength", &ActiveSet::last_strength)
      .def("solve", &solve_strengths, "gram"_a.noconvert(), "scale"_a, "low_rank"_a.noconvert().none(), "linear"_a.noconvert(), "l1"_a.noconvert(),
           "l2"_a.noconvert().none(), "strengths"_a.noconvert(), "ridges"_a.noconvert(), "tol"_a, "coefs"_a.noconvert(), "steps"_a.noconvert(),
           "supports"_a.noconvert(), "gradients"_a.noconvert() = nb::none())
      .def(
          "restart",
          [](ActiveSet& self, const Matrix& gram, double scale, const std::optional<Matrix>& low_rank, const Vector& linear, const Vector& l1,
             const std::optional<Vector>& l2, double ridge, const Vector& coef, double strength) {
            const Quadratic q = quadratic(gram, scale, low_rank, linear, l1, l2, ridge);
            without_gil([&] { self.restart(q, coef.data(), strength); });
          },
          "gram"_a.noconvert(), "scale"_a, "low_rank"_a.noconvert().none(), "linear"_a.noconvert(), "l1"_a.noconvert(), "l2"_a.noconvert().none(),
          "ridge"_a, "coef"_a.noconvert(), "strength"_a);
}
