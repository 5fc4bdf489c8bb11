#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "interrupts.hpp"
#include "shrinkage/path/working_gram.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using Leading = nb::ndarray<double, nb::ndim<2>, nb::device::cpu>;  // leading columns of a wider column-major array

void reaches(const Matrix& C, const Matrix& shares, const Vector& rest, const Vector& limits, const Vector& norms, const Vector& inverse,
             const Flags& out) {
  const shrinkage::Between between{static_cast<Index>(shares.shape(0)), static_cast<Index>(shares.shape(1)), shares.data(), rest.data(),
                                   limits.data()};
  const Index columns = static_cast<Index>(C.shape(0));
  nb::gil_scoped_release unlocked;
  shrinkage::kernels().reaches(C.data(), columns, columns, between, norms.data(), inverse.data(), out.data());
}

void extend_gram(const Matrix& columns, Index old, const Leading& gram) {
  const Index rows = static_cast<Index>(columns.shape(0)), size = static_cast<Index>(columns.shape(1));
  without_gil([&] { shrinkage::extend_gram(columns.data(), rows, rows, old, size, gram.data(), gram.stride(1)); });
}

}  // namespace

void bind_path(nb::module_& m) {
  m.def("reaches", &reaches, "C"_a.noconvert(), "shares"_a.noconvert(), "rest"_a.noconvert(), "limits"_a.noconvert(), "norms"_a.noconvert(),
        "inverse"_a.noconvert(), "out"_a.noconvert(), "Which columns may reach a limit at strengths between certified ones.");
  m.def("extend_gram", &extend_gram, "columns"_a.noconvert(), "old"_a, "gram"_a.noconvert(),
        "Add to a Gram matrix the products of new columns with all.");
}
