#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "interrupts.hpp"
#include "shrinkage/restricted/residual_descent.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::CscView;
using shrinkage::Index;
using shrinkage::ResidualDescent;

namespace {

template <class Scalar>
using Vector = nb::ndarray<Scalar, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using In = Vector<const double>;
using RowMajor = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;

template <class Scalar>
void append(ResidualDescent& self, Index rows, const Vector<const Index>& starts, const Vector<const int>& places, const Vector<const Scalar>& data,
            const Vector<const Index>& features, const In& l1, const In& l2) {
  const CscView X{starts.data(), places.data(), data.data(), sizeof(Scalar) == sizeof(float), rows, static_cast<Index>(starts.shape(0)) - 1};
  const Index count = static_cast<Index>(features.shape(0));
  nb::gil_scoped_release unlocked;
  self.append(X, features.data(), count, l1.data(), l2.data());
}

template <class Scalar>
void bind_append(nb::class_<ResidualDescent>& c) {
  c.def("append", &append<Scalar>, "rows"_a, "starts"_a.noconvert(), "places"_a.noconvert(), "data"_a.noconvert(), "features"_a.noconvert(),
        "l1"_a.noconvert(), "l2"_a.noconvert());
}

}  // namespace

void bind_descent(nb::module_& m) {
  nb::class_<ResidualDescent> c(m, "ResidualDescent", "Coordinate descent on the residuals of one fit, for large working sets of sparse columns.");
  c.def(
       "__init__",
       [](ResidualDescent* self, const In& roots, const RowMajor& basis, const In& y) {
         new (self) ResidualDescent(static_cast<Index>(roots.shape(0)), roots.data(), basis.data(), static_cast<int>(basis.shape(1)), y.data());
       },
       "roots"_a.noconvert(), "basis"_a.noconvert(), "y"_a.noconvert())
      .def_prop_ro("n_samples", &ResidualDescent::rows)
      .def_prop_ro("size", &ResidualDescent::size)
      .def_prop_ro("stored", &ResidualDescent::stored)
      .def_prop_ro("largest_gap", &ResidualDescent::largest_gap)
      .def(
          "near",
          [](const ResidualDescent& self, const Vector<bool>& out) {
            for (int j = 0; j < self.size(); j++) out(j) = self.is_near(j);
          },
          "out"_a.noconvert())
      .def("reset", &ResidualDescent::reset)
      .def(
          "restart", [](ResidualDescent& self, const In& coef, double strength) { self.restart(coef.data(), strength); }, "coef"_a.noconvert(),
          "strength"_a)
      .def(
          "solve",
          [](ResidualDescent& self, const In& strengths, const In& ridges, double tol, int most_sweeps, const Vector<const bool>& known,
             const OutMatrix& coefs) {
            int sweeps = 0;
            const Index count = static_cast<Index>(strengths.shape(0));
            without_gil([&] { sweeps = self.solve(strengths.data(), ridges.data(), count, tol, most_sweeps, known.data(), coefs.data()); });
            return sweeps;
          },
          "strengths"_a.noconvert(), "ridges"_a.noconvert(), "tol"_a, "most_sweeps"_a, "known"_a.noconvert(), "coefs"_a.noconvert());
  bind_append<double>(c);
  bind_append<float>(c);
}
