#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "interrupts.hpp"
#include "shrinkage/csc.hpp"
#include "shrinkage/path/first_pass.hpp"
#include "shrinkage/products.hpp"
#include "shrinkage/scan.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;

namespace {

template <class Scalar>
using Vector = nb::ndarray<Scalar, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class Scalar>
using Matrix = nb::ndarray<Scalar, nb::ndim<2>, nb::f_contig, nb::device::cpu>;  // column-major
template <class Scalar>
using Rows = nb::ndarray<Scalar, nb::ndim<2>, nb::c_contig, nb::device::cpu>;  // row-major
template <class Scalar>
using Strided = nb::ndarray<const Scalar, nb::ndim<2>, nb::device::cpu>;

using In = Vector<const double>;
using InMatrix = Matrix<const double>;
using OutMatrix = Matrix<double>;
using Features = Vector<const Index>;

Index extent(size_t n) {
  return static_cast<Index>(n);
}

template <class Array>
auto data_or_null(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

// The products, the same for every storage; `view` is what the core reads.
template <class View>
struct Products {
  View view;

  void correlate(const InMatrix& R, const OutMatrix& out) const {
    without_gil([&] { shrinkage::products::correlate(view, R.data(), extent(R.shape(1)), out.data()); });
  }

  void combine(const Features& features, const InMatrix& B, const OutMatrix& out) const {
    without_gil([&] { shrinkage::products::combine(view, features.data(), extent(features.shape(0)), B.data(), extent(B.shape(1)), out.data()); });
  }

  void gram(const Features& left, const Features& right, const std::optional<In>& weights, const OutMatrix& out) const {
    without_gil([&] {
      shrinkage::products::gram(view, left.data(), extent(left.shape(0)), right.data(), extent(right.shape(0)), data_or_null(weights), out.data());
    });
  }

  void gather(const Features& features, const In& shift, const std::optional<In>& row_scale, const OutMatrix& out) const {
    without_gil(
        [&] { shrinkage::products::gather(view, features.data(), extent(features.shape(0)), shift.data(), data_or_null(row_scale), out.data()); });
  }

  void deviations(const std::optional<InMatrix>& weights, const InMatrix& center, const OutMatrix& first, const OutMatrix& second) const {
    without_gil(
        [&] { shrinkage::products::deviations(view, data_or_null(weights), extent(center.shape(1)), center.data(), first.data(), second.data()); });
  }
};

// Views of somebody's arrays, which they keep alive.
struct Dense : Products<shrinkage::DenseView> {
  Strided<double> wide;
  Strided<float> single;

  explicit Dense(const Strided<double>& X) : Products{view_of(X)}, wide(X) {}
  explicit Dense(const Strided<float>& X) : Products{view_of(X)}, single(X) {}

  void first_pass(const InMatrix& R, const In& shares, bool centered, const OutMatrix& out, const Vector<double>& squares) const {
    without_gil([&] { shrinkage::products::first_pass(view, R.data(), extent(R.shape(1)), shares.data(), centered, out.data(), squares.data()); });
  }

  template <class Scalar>
  static shrinkage::DenseView view_of(const Strided<Scalar>& X) {
    const Index n = extent(X.shape(0)), p = extent(X.shape(1));
    return {X.data(), sizeof(Scalar) == sizeof(float), n, p, n == 1 ? 1 : X.stride(0), X.stride(1)};
  }
};

struct Sparse : Products<shrinkage::CscView> {
  Vector<const Index> indptr;
  Vector<const int> indices;
  Vector<const double> wide;
  Vector<const float> single;

  Sparse(Index rows, const Vector<const Index>& starts, const Vector<const int>& places, const Vector<const double>& data)
      : Products{view_of(rows, starts, places, data)}, indptr(starts), indices(places), wide(data) {}
  Sparse(Index rows, const Vector<const Index>& starts, const Vector<const int>& places, const Vector<const float>& data)
      : Products{view_of(rows, starts, places, data)}, indptr(starts), indices(places), single(data) {}

  void correlate_some(const Features& features, const InMatrix& R, const OutMatrix& out) const {
    without_gil(
        [&] { shrinkage::products::correlate_some(view, features.data(), extent(features.shape(0)), R.data(), extent(R.shape(1)), out.data()); });
  }

  template <class Scalar>
  static shrinkage::CscView view_of(Index rows, const Vector<const Index>& starts, const Vector<const int>& places, const Vector<Scalar>& data) {
    return {starts.data(), places.data(), data.data(), sizeof(Scalar) == sizeof(float), rows, extent(starts.shape(0)) - 1};
  }
};

shrinkage::Scan scan_of(const In& strengths, const InMatrix& l1, const Vector<const bool>& inside, double tol, const std::optional<InMatrix>& l2,
                        const OutMatrix& C, const Rows<double>& ratio, const Rows<double>& conjugate, const Vector<int>& first,
                        const Vector<double>& excess) {
  return {extent(l1.shape(0)),
          extent(l1.shape(1)),
          extent(strengths.shape(0)),
          strengths.data(),
          l1.data(),
          data_or_null(l2),
          inside.data(),
          tol,
          C.data(),
          ratio.data(),
          conjugate.data(),
          first.data(),
          excess.data()};
}

template <class Design>
void scan(const Design& design, const InMatrix& theta, const In& strengths, const InMatrix& l1, const Vector<const bool>& inside, double tol,
          const std::optional<InMatrix>& l2, const OutMatrix& C, const Rows<double>& ratio, const Rows<double>& conjugate, const Vector<int>& first,
          const Vector<double>& excess) {
  const shrinkage::Scan reading = scan_of(strengths, l1, inside, tol, l2, C, ratio, conjugate, first, excess);
  without_gil([&] { shrinkage::products::scan(design.view, theta.data(), reading); });
}

template <class Design, class Class>
void bind_products(Class& c) {
  c.def("correlate", &Design::correlate, "R"_a.noconvert(), "out"_a.noconvert())
      .def("combine", &Design::combine, "features"_a.noconvert(), "B"_a.noconvert(), "out"_a.noconvert())
      .def("gram", &Design::gram, "left"_a.noconvert(), "right"_a.noconvert(), "weights"_a.noconvert().none(), "out"_a.noconvert())
      .def("gather", &Design::gather, "features"_a.noconvert(), "shift"_a.noconvert(), "row_scale"_a.noconvert().none(), "out"_a.noconvert())
      .def("deviations", &Design::deviations, "weights"_a.noconvert().none(), "center"_a.noconvert(), "first"_a.noconvert(), "second"_a.noconvert())
      .def("scan", &scan<Design>, "theta"_a.noconvert(), "strengths"_a.noconvert(), "l1_weights"_a.noconvert(), "inside"_a.noconvert(), "tol"_a,
           "l2_weights"_a.noconvert().none(), "C"_a.noconvert(), "ratio"_a.noconvert(), "conjugate"_a.noconvert(), "first"_a.noconvert(),
           "excess"_a.noconvert());
}

}  // namespace

void bind_design(nb::module_& m) {
  nb::class_<Dense> dense(m, "Dense", "A view of a strided float64 or float32 matrix, with its products.");
  dense.def(nb::init<const Strided<double>&>(), "X"_a.noconvert()).def(nb::init<const Strided<float>&>(), "X"_a.noconvert());
  bind_products<Dense>(dense);
  dense.def("first_pass", &Dense::first_pass, "R"_a.noconvert(), "shares"_a.noconvert(), "centered"_a, "out"_a.noconvert(), "squares"_a.noconvert());
  nb::class_<Sparse> sparse(m, "Sparse", "A view of a matrix of compressed columns, with its products.");
  sparse
      .def(nb::init<Index, const Vector<const Index>&, const Vector<const int>&, const Vector<const double>&>(), "rows"_a, "indptr"_a.noconvert(),
           "indices"_a.noconvert(), "data"_a.noconvert())
      .def(nb::init<Index, const Vector<const Index>&, const Vector<const int>&, const Vector<const float>&>(), "rows"_a, "indptr"_a.noconvert(),
           "indices"_a.noconvert(), "data"_a.noconvert());
  bind_products<Sparse>(sparse);
  sparse.def("correlate_some", &Sparse::correlate_some, "features"_a.noconvert(), "R"_a.noconvert(), "out"_a.noconvert());
}
