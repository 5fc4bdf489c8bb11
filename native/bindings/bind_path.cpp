#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <optional>

#include "interrupts.hpp"
#include "shrinkage/path/inside.hpp"
#include "shrinkage/path/knots.hpp"
#include "shrinkage/path/listed_columns.hpp"
#include "shrinkage/path/outside.hpp"
#include "shrinkage/path/working_gram.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
template <class Real>
using Columns = nb::ndarray<const Real, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using Features = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Filled = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using Order = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Sums = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
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

template <class Real>
void listed_products(const Columns<Real>& X, const Features& features, const Matrix& R, const Filled& out) {
  const Index rows = static_cast<Index>(X.shape(0)), count = static_cast<Index>(features.shape(0)), k = static_cast<Index>(R.shape(1));
  without_gil([&] { shrinkage::listed_products(X.data(), rows, rows, features.data(), count, R.data(), k, out.data()); });
}

void pick_block(const Matrix& X, const Features& rows, const Features& places, const Filled& out) {
  const Index count = static_cast<Index>(rows.shape(0)), columns = static_cast<Index>(places.shape(0));
  nb::gil_scoped_release unlocked;
  shrinkage::pick_block(X.data(), static_cast<Index>(X.shape(0)), rows.data(), count, places.data(), columns, out.data());
}

void project(const Filled& columns, const Matrix& basis, const Matrix& explain, const Filled& removed) {
  const Index rows = static_cast<Index>(columns.shape(0)), count = static_cast<Index>(columns.shape(1)), q = static_cast<Index>(basis.shape(1));
  without_gil([&] { shrinkage::project(columns.data(), rows, rows, count, basis.data(), explain.data(), q, removed.data()); });
}

Index span(const Matrix& points, const Vector& limits, Index given, const Order& order, const Filled& shares, const Sums& rest) {
  const Index rows = static_cast<Index>(points.shape(0)), count = static_cast<Index>(points.shape(1));
  nb::gil_scoped_release unlocked;
  shrinkage::Spanning spanning(points.data(), rows, count);
  const Index chosen = spanning.choose(limits.data(), given, order.data());
  spanning.share(order.data(), chosen, shares.data(), rest.data());
  return chosen;
}

void read_inside(const Matrix& c, const Matrix& coefs, const Vector& strengths, const Vector& ridges, const Vector& l1,
                 const std::optional<Vector>& l2, const Vector& inverse, const Sums& ratios, const Sums& conjugates, const Sums& kkt,
                 const Sums& penalties) {
  const shrinkage::Inside at{static_cast<Index>(c.shape(0)), static_cast<Index>(c.shape(1)), c.data(), coefs.data(), strengths.data(), ridges.data(),
                             l1.data(), l2 ? l2->data() : nullptr, inverse.data()};
  nb::gil_scoped_release unlocked;
  shrinkage::read_inside(at, ratios.data(), conjugates.data(), kkt.data(), penalties.data());
}

void read_outside(const Matrix& c, const Features& at, const Vector& strengths, const Vector& l1, const std::optional<Vector>& l2,
                  const Vector& inverse, double tol, const Sums& ratios, const Sums& conjugates, const Sums& kkt, const Order& first,
                  const Sums& excess) {
  const shrinkage::Outside from{static_cast<Index>(c.shape(0)), static_cast<Index>(c.shape(1)), c.data(), at.data(), strengths.data(), l1.data(),
                                l2 ? l2->data() : nullptr, inverse.data(), tol};
  nb::gil_scoped_release unlocked;
  shrinkage::read_outside(from, ratios.data(), conjugates.data(), kkt.data(), first.data(), excess.data());
}

}  // namespace

void bind_path(nb::module_& m) {
  m.def("reaches", &reaches, "C"_a.noconvert(), "shares"_a.noconvert(), "rest"_a.noconvert(), "limits"_a.noconvert(), "norms"_a.noconvert(),
        "inverse"_a.noconvert(), "out"_a.noconvert(), "Which columns may reach a limit at strengths between certified ones.");
  m.def("extend_gram", &extend_gram, "columns"_a.noconvert(), "old"_a, "gram"_a.noconvert(),
        "Add to a Gram matrix the products of new columns with all.");
  const char* listed = "Products of listed columns of a column-major matrix with a few vectors, where it lies.";
  m.def("listed_products", &listed_products<double>, "X"_a.noconvert(), "features"_a.noconvert(), "R"_a.noconvert(), "out"_a.noconvert(), listed);
  m.def("listed_products", &listed_products<float>, "X"_a.noconvert(), "features"_a.noconvert(), "R"_a.noconvert(), "out"_a.noconvert(), listed);
  m.def("pick_block", &pick_block, "X"_a.noconvert(), "rows"_a.noconvert(), "places"_a.noconvert(), "out"_a.noconvert(),
        "Some rows of some columns of a column-major matrix.");
  m.def("span", &span, "points"_a.noconvert(), "limits"_a.noconvert(), "given"_a, "order"_a.noconvert(), "shares"_a.noconvert(), "rest"_a.noconvert(),
        "Points that span the others up to rests; returns how many.");
  m.def("read_inside", &read_inside, "c"_a.noconvert(), "coefs"_a.noconvert(), "strengths"_a.noconvert(), "ridges"_a.noconvert(), "l1"_a.noconvert(),
        "l2"_a.noconvert().none(), "inverse"_a.noconvert(), "ratios"_a.noconvert(), "conjugates"_a.noconvert(), "kkt"_a.noconvert(),
        "penalties"_a.noconvert(), "What the correlations of a working set say of its strengths.");
  m.def("read_outside", &read_outside, "c"_a.noconvert(), "at"_a.noconvert(), "strengths"_a.noconvert(), "l1"_a.noconvert(),
        "l2"_a.noconvert().none(), "inverse"_a.noconvert(), "tol"_a, "ratios"_a.noconvert(), "conjugates"_a.noconvert(), "kkt"_a.noconvert(),
        "first"_a.noconvert(), "excess"_a.noconvert(), "What the correlations of all columns say of some strengths.");
  m.def("project", &project, "columns"_a.noconvert(), "basis"_a.noconvert(), "explain"_a.noconvert(), "removed"_a.noconvert(),
        "Take off columns, twice, what a basis explains; coefficients are added to `removed`.");
}
