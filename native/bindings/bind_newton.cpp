#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <vector>

#include "interrupts.hpp"
#include "shrinkage/losses/logistic.hpp"
#include "shrinkage/restricted/prox_newton.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Columns;
using shrinkage::FreeBlock;
using shrinkage::Index;
using shrinkage::Logistic;
using shrinkage::ProxNewton;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using Starts = nb::ndarray<const Index, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Indices = Starts;
using Rows = nb::ndarray<const int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Columns dense_columns(const Matrix& values) {
  Columns x;
  x.rows = values.shape(0);
  x.count = static_cast<int>(values.shape(1));
  x.dense = values.data();
  x.ld = x.rows;
  return x;
}

Columns compressed_columns(Index rows, const Starts& starts, const Rows& row_of, const Vector& values) {
  Columns x;
  x.rows = rows;
  x.count = static_cast<int>(starts.shape(0)) - 1;
  x.starts = starts.data();
  x.row_of = row_of.data();
  x.values = values.data();
  return x;
}

// One fit: a solver and the arrays that it looks at.
class LogisticFit {
 public:
  LogisticFit(const Vector& y, const Vector& weights, const std::optional<Vector>& offset, const Matrix& free_columns, bool intercept_only)
      : y_(y), weights_(weights), offset_(offset), free_columns_(free_columns), intercept_only_(intercept_only), solver_(loss(), free()) {}

  double null_objective() const { return solver_.null_objective(); }

  void reset() {
    nb::gil_scoped_release unlocked;
    solver_.reset();
  }

  void dual_point(const OutVector& theta) {
    nb::gil_scoped_release unlocked;
    solver_.dual_point(theta.data(), intercept_only_);
  }

  void duals(const Matrix& theta, const Vector& scales, const OutVector& values) const {
    nb::gil_scoped_release unlocked;
    for (size_t t = 0; t < theta.shape(1); t++) values(t) = loss().dual(theta.data() + t * theta.shape(0), scales(t));
  }

  // means(t) = 2 sum_i weights(i) l(y_i, eta_it) over the given rows
  void deviances(const Matrix& eta, const Indices& rows, const Vector& weights, const OutVector& means) const {
    nb::gil_scoped_release unlocked;
    const Index count = rows.shape(0);
    std::vector<double> answers(count), predictors(count);
    for (Index i = 0; i < count; i++) answers[i] = y_(rows(i));
    Logistic seen;
    seen.rows = count;
    seen.y = answers.data();
    seen.weights = weights.data();
    for (size_t t = 0; t < eta.shape(1); t++) {
      const double* column = eta.data() + t * eta.shape(0);
      for (Index i = 0; i < count; i++) predictors[i] = column[rows(i)];
      means(t) = 2 * seen.value(predictors.data());
    }
  }

  void solve(const Columns& x, const Vector& l1, const std::optional<Vector>& l2, const Vector& strengths, const Vector& ridges, double tol,
             const OutMatrix& coefs, const OutMatrix& theta, const OutMatrix& eta, const OutMatrix& free_coefs, const OutVector& objectives,
             const Counts& supports, const Counts& steps) {
    const Index rows = x.rows, q = free_columns_.shape(1);
    without_gil([&] {
      solver_.attach(x, l1.data(), l2 ? l2->data() : nullptr);
      for (size_t t = 0; t < strengths.shape(0); t++) {
        steps(t) = solver_.solve(strengths(t), ridges(t), tol);
        supports(t) = solver_.scatter(coefs.data() + t * x.count);
        objectives(t) = solver_.objective(strengths(t), ridges(t));
        std::copy_n(solver_.eta().data(), rows, eta.data() + t * rows);
        std::copy_n(solver_.free_coefs().data(), q, free_coefs.data() + t * q);
        solver_.dual_point(theta.data() + t * rows, intercept_only_);
      }
    });
  }

  void stand_at(const Columns& x, const Vector& l1, const std::optional<Vector>& l2, const Vector& coefs, const Vector& free_coefs, const Vector& eta,
                double strength) {
    without_gil([&] {
      solver_.attach(x, l1.data(), l2 ? l2->data() : nullptr);
      solver_.stand_at(coefs.data(), static_cast<int>(coefs.shape(0)), free_coefs.data(), eta.data(), strength);
    });
  }

 private:
  Logistic loss() const {
    Logistic loss;
    loss.rows = y_.shape(0);
    loss.y = y_.data();
    loss.weights = weights_.data();
    loss.offset = offset_ ? offset_->data() : nullptr;
    return loss;
  }
  FreeBlock free() const { return FreeBlock(y_.shape(0), static_cast<int>(free_columns_.shape(1)), free_columns_.data()); }

  Vector y_, weights_;
  std::optional<Vector> offset_;
  Matrix free_columns_;
  bool intercept_only_;
  ProxNewton<Logistic> solver_;
};

}  // namespace

void bind_newton(nb::module_& m) {
  nb::class_<Columns>(m, "Columns", "A view of a working set's columns, dense or compressed; the caller keeps the arrays alive.")
      .def_static("dense", &dense_columns, "values"_a.noconvert())
      .def_static("compressed", &compressed_columns, "rows"_a, "starts"_a.noconvert(), "row_of"_a.noconvert(), "values"_a.noconvert());
  nb::class_<LogisticFit>(m, "LogisticFit", "Prox-Newton for weighted rows of a logistic model, kept warm between strengths.")
      .def(nb::init<const Vector&, const Vector&, const std::optional<Vector>&, const Matrix&, bool>(), "y"_a.noconvert(), "weights"_a.noconvert(),
           "offset"_a.noconvert().none(), "free_columns"_a.noconvert(), "intercept_only"_a)
      .def_prop_ro("null_objective", &LogisticFit::null_objective)
      .def("reset", &LogisticFit::reset)
      .def("dual_point", &LogisticFit::dual_point, "theta"_a.noconvert())
      .def("duals", &LogisticFit::duals, "theta"_a.noconvert(), "scales"_a.noconvert(), "values"_a.noconvert())
      .def("deviances", &LogisticFit::deviances, "eta"_a.noconvert(), "rows"_a.noconvert(), "weights"_a.noconvert(), "means"_a.noconvert())
      .def("solve", &LogisticFit::solve, "columns"_a, "l1"_a.noconvert(), "l2"_a.noconvert().none(), "strengths"_a.noconvert(),
           "ridges"_a.noconvert(), "tol"_a, "coefs"_a.noconvert(), "theta"_a.noconvert(), "eta"_a.noconvert(), "free_coefs"_a.noconvert(),
           "objectives"_a.noconvert(), "supports"_a.noconvert(), "steps"_a.noconvert())
      .def("stand_at", &LogisticFit::stand_at, "columns"_a, "l1"_a.noconvert(), "l2"_a.noconvert().none(), "coefs"_a.noconvert(),
           "free_coefs"_a.noconvert(), "eta"_a.noconvert(), "strength"_a);
}
