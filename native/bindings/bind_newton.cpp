#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <vector>

#include "interrupts.hpp"
#include "shrinkage/losses/cox.hpp"
#include "shrinkage/losses/logistic.hpp"
#include "shrinkage/losses/multinomial.hpp"
#include "shrinkage/losses/row_loss.hpp"
#include "shrinkage/restricted/prox_newton.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Columns;
using shrinkage::Couples;
using shrinkage::Cox;
using shrinkage::FreeBlock;
using shrinkage::Index;
using shrinkage::Logistic;
using shrinkage::LossKind;
using shrinkage::Multinomial;
using shrinkage::ProxNewton;
using shrinkage::RiskSets;
using shrinkage::RowLoss;

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

template <class Loss>
int classes_of(const Loss&) {
  return 1;
}
int classes_of(const Multinomial& loss) {
  return loss.classes;
}

// One fit: a solver and the arrays that it looks at. A loss is given with its parameters, without rows.
template <class Loss>
class Fit {
 public:
  Fit(const Loss& unset, const Vector& y, const Vector& weights, const std::optional<Vector>& offset, const Matrix& free_columns, bool intercept_only)
      : loss_(unset),
        y_(y),
        weights_(weights),
        offset_(offset),
        free_columns_(free_columns),
        intercept_only_(intercept_only),
        solver_(loss(), free()) {}

  double null_objective() const { return solver_.null_objective(); }
  int models_by_descent() const { return solver_.models_by_descent(); }

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
    for (size_t t = 0; t < theta.shape(1); t++) {
      if constexpr (Couples<Loss>::value)
        values(t) = scales(t) * duals_[t];  // of the last solve
      else
        values(t) = loss().dual(theta.data() + t * theta.shape(0), scales(t));
    }
  }

  // means(t) = 2 sum_i weights(i) l(y_i, eta_it) over the given rows
  void deviances(const Matrix& eta, const Indices& rows, const Vector& weights, const OutVector& means) const {
    nb::gil_scoped_release unlocked;
    const Index count = rows.shape(0);
    std::vector<double> answers(count), predictors(count);
    for (Index i = 0; i < count; i++) answers[i] = y_(rows(i));
    Loss seen = loss_;
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
    const Index rows = y_.shape(0), q = free_columns_.shape(1);
    without_gil([&] {
      solver_.attach(x, l1.data(), l2 ? l2->data() : nullptr);
      duals_.resize(strengths.shape(0));
      for (size_t t = 0; t < strengths.shape(0); t++) {
        steps(t) = solver_.solve(strengths(t), ridges(t), tol);
        supports(t) = solver_.scatter(coefs.data() + t * x.count);
        objectives(t) = solver_.objective(strengths(t), ridges(t));
        std::copy_n(solver_.eta().data(), rows, eta.data() + t * rows);
        std::copy_n(solver_.free_coefs().data(), q, free_coefs.data() + t * q);
        duals_[t] = solver_.dual_point(theta.data() + t * rows, intercept_only_);
      }
    });
  }

  // One bound of each kind per column of the working set.
  void bound(const Vector& lower, const Vector& upper) {
    lower_ = lower;
    upper_ = upper;
    solver_.bound(lower.data(), upper.data());
  }

  void stand_at(const Columns& x, const Vector& l1, const std::optional<Vector>& l2, const Vector& coefs, const Vector& free_coefs, const Vector& eta,
                double strength) {
    without_gil([&] {
      solver_.attach(x, l1.data(), l2 ? l2->data() : nullptr);
      solver_.stand_at(coefs.data(), static_cast<int>(coefs.shape(0)), free_coefs.data(), eta.data(), strength);
    });
  }

 private:
  Loss loss() const {
    Loss loss = loss_;
    loss.rows = y_.shape(0);
    loss.y = y_.data();
    loss.weights = weights_.data();
    loss.offset = offset_ ? offset_->data() : nullptr;
    if constexpr (Couples<Loss>::value) loss.weights = loss.sets->weights.data();
    return loss;
  }
  FreeBlock free() const { return FreeBlock(y_.shape(0), static_cast<int>(free_columns_.shape(1)), free_columns_.data(), classes_of(loss_)); }

  Loss loss_;
  Vector y_, weights_;
  std::optional<Vector> offset_, lower_, upper_;
  Matrix free_columns_;
  bool intercept_only_;
  std::vector<double> duals_;
  ProxNewton<Loss> solver_;
};

RowLoss row_loss(LossKind kind, const Vector& parameters) {
  RowLoss loss;
  loss.kind = kind;
  double* into[] = {&loss.first, &loss.second, &loss.third};
  for (size_t i = 0; i < parameters.shape(0) && i < 3; i++) *into[i] = parameters(i);
  return loss;
}

// A Cox model that looks at these risk sets.
Cox cox_of(const RiskSets& sets) {
  Cox loss;
  loss.rows = static_cast<Index>(sets.weights.size());
  loss.sets = std::shared_ptr<const RiskSets>(&sets, [](const RiskSets*) {});
  loss.weights = sets.weights.data();
  return loss;
}

double cox_value(const RiskSets& sets, const Vector& eta) {
  nb::gil_scoped_release unlocked;
  return cox_of(sets).value(eta.data());
}

// out = the derivative of the value at eta
void cox_gradient(const RiskSets& sets, const Vector& eta, const OutVector& out) {
  nb::gil_scoped_release unlocked;
  const Index rows = eta.shape(0);
  std::vector<double> still(rows, 0.0), moved(rows), curvature(rows);
  cox_of(sets).sweep(eta.data(), still.data(), 0, 0, moved.data(), out.data(), curvature.data());
  for (Index i = 0; i < rows; i++) out(i) = -out(i);
}

// out = the rows (by position, zeros to the end) under which the Hessian at eta is diagonal, each by the root of its weight
void cox_roots(const RiskSets& sets, const Vector& eta, const Matrix& columns, const OutMatrix& out) {
  nb::gil_scoped_release unlocked;
  const Index rows = eta.shape(0);
  const Cox loss = cox_of(sets);
  std::vector<double> still(rows, 0.0), moved(rows), residual(rows), curvature(rows);
  loss.sweep(eta.data(), still.data(), 0, 0, moved.data(), residual.data(), curvature.data());
  shrinkage::RunningMeans means;
  loss.means(eta.data(), means);
  for (size_t c = 0; c < columns.shape(1); c++) {
    const double* from = columns.data() + c * rows;
    double* into = out.data() + c * rows;
    means.apply(&from, &into, 1);
    for (Index i = 0; i < rows; i++) into[i] *= std::sqrt(curvature[i]);
  }
}

template <class Loss>
nb::class_<Fit<Loss>> bind_fit(nb::module_& m, const char* name, const char* doc) {
  auto fit = nb::class_<Fit<Loss>>(m, name, doc);
  if constexpr (!Couples<Loss>::value)
    fit.def("deviances", &Fit<Loss>::deviances, "eta"_a.noconvert(), "rows"_a.noconvert(), "weights"_a.noconvert(), "means"_a.noconvert());
  return fit.def_prop_ro("null_objective", &Fit<Loss>::null_objective)
      .def_prop_ro("models_by_descent", &Fit<Loss>::models_by_descent, "Models minimized by coordinate descent so far.")
      .def("reset", &Fit<Loss>::reset)
      .def("dual_point", &Fit<Loss>::dual_point, "theta"_a.noconvert())
      .def("duals", &Fit<Loss>::duals, "theta"_a.noconvert(), "scales"_a.noconvert(), "values"_a.noconvert())
      .def("solve", &Fit<Loss>::solve, "columns"_a, "l1"_a.noconvert(), "l2"_a.noconvert().none(), "strengths"_a.noconvert(), "ridges"_a.noconvert(),
           "tol"_a, "coefs"_a.noconvert(), "theta"_a.noconvert(), "eta"_a.noconvert(), "free_coefs"_a.noconvert(), "objectives"_a.noconvert(),
           "supports"_a.noconvert(), "steps"_a.noconvert())
      .def("bound", &Fit<Loss>::bound, "lower"_a.noconvert(), "upper"_a.noconvert())
      .def("stand_at", &Fit<Loss>::stand_at, "columns"_a, "l1"_a.noconvert(), "l2"_a.noconvert().none(), "coefs"_a.noconvert(),
           "free_coefs"_a.noconvert(), "eta"_a.noconvert(), "strength"_a);
}

}  // namespace

void bind_newton(nb::module_& m) {
  nb::class_<Columns>(m, "Columns", "A view of a working set's columns, dense or compressed; the caller keeps the arrays alive.")
      .def_static("dense", &dense_columns, "values"_a.noconvert())
      .def_static("compressed", &compressed_columns, "rows"_a, "starts"_a.noconvert(), "row_of"_a.noconvert(), "values"_a.noconvert())
      .def("for_classes", &Columns::for_classes, "classes"_a, "Each column once for every class, in the rows of that class.");
  bind_fit<Logistic>(m, "LogisticFit", "Prox-Newton for weighted rows of a logistic model, kept warm between strengths.")
      .def(
          "__init__",
          [](Fit<Logistic>* self, const Vector& y, const Vector& weights, const std::optional<Vector>& offset, const Matrix& free_columns,
             bool intercept_only) { new (self) Fit<Logistic>(Logistic{}, y, weights, offset, free_columns, intercept_only); },
          "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert().none(), "free_columns"_a.noconvert(), "intercept_only"_a);
  nb::enum_<LossKind>(m, "LossKind")
      .value("poisson", LossKind::poisson)
      .value("gamma", LossKind::gamma)
      .value("tweedie", LossKind::tweedie)
      .value("negative_binomial", LossKind::negative_binomial)
      .value("clipped", LossKind::clipped)
      .value("squared", LossKind::squared);
  bind_fit<RowLoss>(m, "RowLossFit", "Prox-Newton for weighted rows of a loss with one linear predictor, kept warm between strengths.")
      .def(
          "__init__",
          [](Fit<RowLoss>* self, LossKind kind, const Vector& parameters, const Vector& y, const Vector& weights, const std::optional<Vector>& offset,
             const Matrix& free_columns,
             bool intercept_only) { new (self) Fit<RowLoss>(row_loss(kind, parameters), y, weights, offset, free_columns, intercept_only); },
          "kind"_a, "parameters"_a.noconvert(), "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert().none(),
          "free_columns"_a.noconvert(), "intercept_only"_a);
  nb::class_<RiskSets>(m, "RiskSets", "Who is at risk at each death: rows with weight, by stratum and time.")
      .def(
          "__init__",
          [](RiskSets* self, const Vector& time, const Vector& event, const Vector& stratum, const Vector& weights, bool efron) {
            new (self) RiskSets(time.shape(0), time.data(), event.data(), stratum.data(), weights.data(), efron);
          },
          "time"_a.noconvert(), "event"_a.noconvert(), "stratum"_a.noconvert(), "weights"_a.noconvert(), "efron"_a)
      .def("value", &cox_value, "eta"_a.noconvert())
      .def("gradient", &cox_gradient, "eta"_a.noconvert(), "out"_a.noconvert())
      .def("roots", &cox_roots, "eta"_a.noconvert(), "columns"_a.noconvert(), "out"_a.noconvert());
  bind_fit<Cox>(m, "CoxFit", "Prox-Newton for a Cox model with given risk sets, kept warm between strengths.")
      .def(
          "__init__",
          [](Fit<Cox>* self, const RiskSets& sets, const Vector& event, const Vector& weights, const std::optional<Vector>& offset,
             const Matrix& free_columns, bool intercept_only) {
            Cox loss;
            loss.sets = std::make_shared<const RiskSets>(sets);
            new (self) Fit<Cox>(loss, event, weights, offset, free_columns, intercept_only);
          },
          "sets"_a, "event"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert().none(), "free_columns"_a.noconvert(), "intercept_only"_a);
  bind_fit<Multinomial>(m, "MultinomialFit",
                        "Prox-Newton for a multinomial model, kept warm between strengths; vectors over rows hold class after class.")
      .def(
          "__init__",
          [](Fit<Multinomial>* self, int classes, const Vector& y, const Vector& weights, const std::optional<Vector>& offset,
             const Matrix& free_columns, bool intercept_only) {
            Multinomial loss;
            loss.classes = classes;
            new (self) Fit<Multinomial>(loss, y, weights, offset, free_columns, intercept_only);
          },
          "classes"_a, "y"_a.noconvert(), "weights"_a.noconvert(), "offset"_a.noconvert().none(), "free_columns"_a.noconvert(), "intercept_only"_a);
}
