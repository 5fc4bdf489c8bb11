#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "interrupts.hpp"
#include "shrinkage/moment_fits.hpp"
#include "shrinkage/moments.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

template <class Scalar>
using Strided = nb::ndarray<const Scalar, nb::ndim<2>, nb::device::cpu>;
template <class Scalar>
using Vector = nb::ndarray<const Scalar, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Scalar>
using Out = nb::ndarray<Scalar, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using InStack = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Stack = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class Array>
auto data_or_null(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

template <class Scalar>
void add_moments(const Strided<Scalar>& X, const Vector<Index>& starts, const Matrix& rest, const Matrix& removed, const Stack& out,
                 const std::optional<Vector<Index>>& features, const std::optional<Vector<Index>>& order,
                 const std::optional<Vector<double>>& weights) {
  const Index n = static_cast<Index>(X.shape(0)), p = static_cast<Index>(X.shape(1));
  shrinkage::moments::Rows rows;
  rows.X = {X.data(), sizeof(Scalar) == sizeof(float), n, p, n == 1 ? 1 : X.stride(0), p == 1 ? 1 : X.stride(1)};
  rows.features = data_or_null(features);
  rows.m = features ? static_cast<Index>(features->shape(0)) : p;
  rows.rest = rest.data();
  rows.width = static_cast<Index>(rest.shape(1));
  rows.removed = removed.data();
  rows.weights = data_or_null(weights);
  rows.order = data_or_null(order);
  without_gil([&] { shrinkage::moments::add(rows, starts.data(), static_cast<Index>(starts.shape(0)) - 1, out.data()); });
}

template <class Scalar>
void bind_add_moments(nb::module_& m) {
  m.def("add_moments", &add_moments<Scalar>, "X"_a.noconvert(), "starts"_a.noconvert(), "rest"_a.noconvert(), "removed"_a.noconvert(),
        "out"_a.noconvert(), "features"_a.noconvert() = nb::none(), "order"_a.noconvert() = nb::none(), "weights"_a.noconvert() = nb::none(),
        "out[k] += D' diag(weights) D over the rows of piece k, D = [X - Q removed, rest], rest = [y, Q].");
}

void solve_moments(const Matrix& all, const InStack& left_out, const InStack& test, const InStack& inverse, const Vector<double>& totals,
                   const Vector<double>& test_totals, const Vector<double>& yy, const Vector<double>& null, const Vector<int>& ranks,
                   const Matrix& l1, const std::optional<Matrix>& l2, const Vector<double>& strengths, const Vector<double>& ridges, double tol,
                   const Stack& coefs, const Out<int>& steps, const OutMatrix& gaps, const Out<double>& kkt, const OutMatrix& scores) {
  for (size_t t = 0; t < strengths.shape(0); t++)
    if (!(strengths(t) >= 0)) throw std::invalid_argument("strengths must be >= 0; got " + std::to_string(strengths(t)));
  shrinkage::moments::Fits fits;
  fits.count = static_cast<Index>(l1.shape(0));
  fits.m = static_cast<Index>(l1.shape(1));
  fits.q = static_cast<Index>(inverse.shape(1));
  fits.strengths = static_cast<Index>(strengths.shape(0));
  fits.tests = static_cast<Index>(test_totals.shape(0));
  fits.kept = static_cast<Index>(coefs.shape(0));
  fits.all = all.data(), fits.left_out = left_out.data(), fits.test = test.data(), fits.inverse = inverse.data();
  fits.total = totals.data(), fits.test_total = test_totals.data(), fits.yy = yy.data(), fits.null = null.data();
  fits.rank = ranks.data();
  fits.l1 = l1.data(), fits.l2 = data_or_null(l2);
  fits.strength = strengths.data(), fits.ridge = ridges.data(), fits.tol = tol;
  fits.coefs = coefs.data(), fits.steps = steps.data(), fits.gaps = gaps.data(), fits.kkt = kkt.data(), fits.scores = scores.data();
  without_gil([&] { shrinkage::moments::solve(fits); });
}

}  // namespace

void bind_moments(nb::module_& m) {
  bind_add_moments<double>(m);
  bind_add_moments<float>(m);
  m.def("solve_moments", &solve_moments, "all"_a.noconvert(), "left_out"_a.noconvert(), "test"_a.noconvert(), "inverse"_a.noconvert(),
        "totals"_a.noconvert(), "test_totals"_a.noconvert(), "yy"_a.noconvert(), "null"_a.noconvert(), "ranks"_a.noconvert(), "l1"_a.noconvert(),
        "l2"_a.noconvert().none(), "strengths"_a.noconvert(), "ridges"_a.noconvert(), "tol"_a, "coefs"_a.noconvert(), "steps"_a.noconvert(),
        "gaps"_a.noconvert(), "kkt"_a.noconvert(), "scores"_a.noconvert(),
        "Solves, certifies and scores every fit at every strength; fit k + 1 is all rows without left_out[k], scored on test[k].");
}
