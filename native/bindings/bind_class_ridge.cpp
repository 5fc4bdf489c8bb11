#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>

#include "interrupts.hpp"
#include "shrinkage/losses/logistic.hpp"
#include "shrinkage/losses/row_loss.hpp"
#include "shrinkage/restricted/class_ridge.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::ClassRidge;
using shrinkage::Columns;
using shrinkage::FreeBlock;
using shrinkage::Index;
using shrinkage::Logistic;
using shrinkage::LossKind;
using shrinkage::Multinomial;
using shrinkage::RidgeColumns;
using shrinkage::RowLoss;

namespace {

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using OutMatrix = nb::ndarray<double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using Counts = nb::ndarray<int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// One fit: a solver and the arrays that it looks at.
class Fit {
 public:
  Fit(int classes, const Vector& y, const Vector& weights, const Vector& offset, const Matrix& dense, const std::optional<Columns>& sparse,
      const Vector& means, int n_free, const Matrix& free_columns, bool intercept_only, double unit)
      : y_(y),
        weights_(weights),
        offset_(offset),
        dense_(dense),
        means_(means),
        free_columns_(free_columns),
        intercept_only_(intercept_only),
        solver_(loss(classes), columns(classes, sparse), n_free,
                FreeBlock(y.shape(0), static_cast<int>(free_columns.shape(1)), free_columns.data(), classes), unit) {}

  void solve(const Vector& alphas, double tol, const OutMatrix& coefs, const OutMatrix& gradients, const OutMatrix& eta, const OutVector& gaps, const Counts& steps) {
    without_gil([&] {
      for (size_t t = 0; t < alphas.shape(0); t++) {
        steps(t) = solver_.solve(alphas(t), tol, intercept_only_);
        std::copy(solver_.coefs().begin(), solver_.coefs().end(), coefs.data() + t * coefs.shape(0));
        std::copy(solver_.gradient().begin(), solver_.gradient().end(), gradients.data() + t * gradients.shape(0));
        std::copy(solver_.eta().begin(), solver_.eta().end(), eta.data() + t * eta.shape(0));
        gaps(t) = solver_.gap();
      }
    });
  }

 private:
  Multinomial loss(int classes) const {
    Multinomial loss;
    loss.rows = y_.shape(0);
    loss.classes = classes;
    loss.y = y_.data();
    loss.weights = weights_.data();
    loss.offset = offset_.data();
    return loss;
  }
  RidgeColumns columns(int classes, const std::optional<Columns>& sparse) const {
    RidgeColumns x;
    x.classes = classes;
    x.dense.rows = x.dense.ld = dense_.shape(0);
    x.dense.count = static_cast<int>(dense_.shape(1));
    x.dense.dense = dense_.data();
    if (sparse) x.sparse = *sparse;
    x.means = means_.data();
    return x;
  }

  Vector y_, weights_, offset_;
  Matrix dense_;
  Vector means_;
  Matrix free_columns_;
  bool intercept_only_;
  ClassRidge solver_;
};

// One fit of a loss of one predictor, dense; the columns of the free block come first.
template <class Loss>
class SmoothFit {
 public:
  SmoothFit(const Loss& unset, const Vector& y, const Vector& weights, const Vector& offset, const Matrix& dense, int n_free, bool intercept_only,
            double unit)
      : unset_(unset),
        y_(y),
        weights_(weights),
        offset_(offset),
        dense_(dense),
        intercept_only_(intercept_only),
        solver_(loss(), columns(), n_free, FreeBlock(y.shape(0), n_free, dense.data()), unit) {}

  void solve(const Vector& start, const Vector& alphas, double tol, const OutMatrix& coefs, const OutVector& gaps, const Counts& steps) {
    without_gil([&] {
      solver_.stand_at(start.data());
      for (size_t t = 0; t < alphas.shape(0); t++) {
        steps(t) = solver_.solve(alphas(t), tol, intercept_only_);
        std::copy(solver_.coefs().begin(), solver_.coefs().end(), coefs.data() + t * coefs.shape(0));
        gaps(t) = solver_.gap();
      }
    });
  }

 private:
  Loss loss() const {
    Loss loss = unset_;
    loss.rows = y_.shape(0);
    loss.y = y_.data();
    loss.weights = weights_.data();
    loss.offset = offset_.data();
    return loss;
  }
  RidgeColumns columns() const {
    RidgeColumns x;
    x.classes = 1;
    x.dense.rows = x.dense.ld = dense_.shape(0);
    x.dense.count = static_cast<int>(dense_.shape(1));
    x.dense.dense = dense_.data();
    return x;
  }

  Loss unset_;
  Vector y_, weights_, offset_;
  Matrix dense_;
  bool intercept_only_;
  shrinkage::RidgeDescent<Loss> solver_;
};

template <class Loss>
nb::class_<SmoothFit<Loss>> bind_smooth(nb::module_& m, const char* name, const char* doc) {
  return nb::class_<SmoothFit<Loss>>(m, name, doc)
      .def("solve", &SmoothFit<Loss>::solve, "start"_a.noconvert(), "alphas"_a.noconvert(), "tol"_a, "coefs"_a.noconvert(), "gaps"_a.noconvert(),
           "steps"_a.noconvert());
}

}  // namespace

void bind_class_ridge(nb::module_& m) {
  nb::class_<Fit>(m, "ClassRidge",
                  "Ridge of a multinomial model, kept warm between falling strengths; vectors over rows hold class after class. The caller keeps\n"
                  "the arrays of compressed columns alive.")
      .def(nb::init<int, const Vector&, const Vector&, const Vector&, const Matrix&, const std::optional<Columns>&, const Vector&, int, const Matrix&,
                    bool, double>(),
           "classes"_a, "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert(), "dense"_a.noconvert(), "sparse"_a.none(),
           "means"_a.noconvert(), "n_free"_a, "free_columns"_a.noconvert(), "intercept_only"_a, "unit"_a)
      .def("solve", &Fit::solve, "alphas"_a.noconvert(), "tol"_a, "coefs"_a.noconvert(), "gradients"_a.noconvert(), "eta"_a.noconvert(), "gaps"_a.noconvert(),
           "steps"_a.noconvert());
  bind_smooth<Logistic>(m, "LogisticRidge", "Ridge of a logistic model on dense columns, those of the free block first.")
      .def(
          "__init__",
          [](SmoothFit<Logistic>* self, const Vector& y, const Vector& weights, const Vector& offset, const Matrix& dense, int n_free,
             bool intercept_only,
             double unit) { new (self) SmoothFit<Logistic>(Logistic{}, y, weights, offset, dense, n_free, intercept_only, unit); },
          "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert(), "dense"_a.noconvert(), "n_free"_a, "intercept_only"_a, "unit"_a);
  bind_smooth<RowLoss>(m, "RowLossRidge", "Ridge of a loss of one predictor on dense columns, those of the free block first.")
      .def(
          "__init__",
          [](SmoothFit<RowLoss>* self, LossKind kind, const Vector& parameters, const Vector& y, const Vector& weights, const Vector& offset,
             const Matrix& dense, int n_free, bool intercept_only, double unit) {
            RowLoss loss;
            loss.kind = kind;
            double* into[] = {&loss.first, &loss.second, &loss.third};
            for (size_t i = 0; i < parameters.shape(0) && i < 3; i++) *into[i] = parameters(i);
            new (self) SmoothFit<RowLoss>(loss, y, weights, offset, dense, n_free, intercept_only, unit);
          },
          "kind"_a, "parameters"_a.noconvert(), "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert(), "dense"_a.noconvert(), "n_free"_a,
          "intercept_only"_a, "unit"_a);
}
