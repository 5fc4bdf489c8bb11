#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "interrupts.hpp"
#include "shrinkage/moments.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

template <class Scalar>
using Strided = nb::ndarray<const Scalar, nb::ndim<2>, nb::device::cpu>;
template <class Scalar>
using Vector = nb::ndarray<const Scalar, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Stack = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class Array>
auto data_or_null(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

template <class Scalar>
void add_moments(const Strided<Scalar>& X, const Vector<Index>& starts, const Matrix& rest, const Matrix& removed, const Stack& out,
                 const std::optional<Vector<Index>>& features, const std::optional<Vector<Index>>& order,
                 const std::optional<Vector<double>>& weights, int threads) {
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
  without_gil(
      [&] { shrinkage::moments::add(rows, starts.data(), static_cast<Index>(starts.shape(0)) - 1, out.data(), static_cast<std::size_t>(threads)); });
}

template <class Scalar>
void bind_add_moments(nb::module_& m) {
  m.def("add_moments", &add_moments<Scalar>, "X"_a.noconvert(), "starts"_a.noconvert(), "rest"_a.noconvert(), "removed"_a.noconvert(),
        "out"_a.noconvert(), "features"_a.noconvert() = nb::none(), "order"_a.noconvert() = nb::none(), "weights"_a.noconvert() = nb::none(),
        "threads"_a = 1, "out[k] += D' diag(weights) D over the rows of piece k, D = [X - Q removed, rest], rest = [y, Q].");
}

}  // namespace

void bind_moments(nb::module_& m) {
  bind_add_moments<double>(m);
  bind_add_moments<float>(m);
}
