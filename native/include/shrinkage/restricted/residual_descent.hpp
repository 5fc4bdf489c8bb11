#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "shrinkage/csc.hpp"
#include "shrinkage/interrupt.hpp"
#include "shrinkage/restricted/descent_list.hpp"
#include "shrinkage/restricted/extrapolation.hpp"

namespace shrinkage {

// One fit by coordinate descent on its residuals, for working sets too large for a factor of their Gram matrix:
//   1/2 |y - sum_j b_j (x_j - Q q_j)|^2  +  strength sum_j l1[j] |b_j|  +  ridge / 2 sum_j l2[j] b_j^2,     q_j = Q'x_j,
// with rows scaled by the roots of the fit's row weights, Q an orthonormal basis of its free columns and y orthogonal to Q.
//
// Eight strengths are solved side by side, each from the line through the last two solutions. After some sweeps their
// steps are extrapolated (Anderson), which stands only in the strengths whose objective it lowers, so that the objective
// falls throughout. A look at all columns tells the duality gap on the working set, where a strength ends, and who may move.
class ResidualDescent {
 public:
  static constexpr int lanes = descent_lanes;

  // roots (rows): of the row weights, 0 outside the fit; Q (rows x rank), row-major; y (rows)
  ResidualDescent(Index rows, const double* roots, const double* Q, int rank, const double* y)
      : rows_(rows),
        rank_(rank),
        roots_(roots, roots + rows),
        basis_(Q, Q + rows * rank),
        y_(y, y + rows),
        start_(1, 0),
        residual_(rows * lanes),
        trial_(rows * lanes),
        offset_(rank * lanes),
        trial_offset_(rank * lanes) {}

  Index rows() const { return rows_; }
  int size() const { return static_cast<int>(square_.size()); }
  Index stored() const { return start_.back(); }

  // Append columns of X to the working set; they are copied, without rows outside the fit.
  void append(const CscView& X, const Index* features, Index count, const double* l1, const double* l2) {
    Index stored = this->stored();
    for (Index a = 0; a < count; a++) stored += X.indptr[features[a] + 1] - X.indptr[features[a]];
    if (const auto wanted = static_cast<std::size_t>(stored); wanted > row_.capacity()) {  // doubled, for few may come at a time
      row_.reserve(std::max(wanted, 2 * row_.capacity()));
      value_.reserve(std::max(wanted, 2 * value_.capacity()));
    }
    for (Index a = 0; a < count; a++) append_column(X, features[a]);
    l1_.insert(l1_.end(), l1, l1 + count);
    l2_.insert(l2_.end(), l2, l2 + count);
    last_.resize(square_.size(), 0.0);
    before_.resize(square_.size(), 0.0);
  }

  void reset() {
    std::fill(last_.begin(), last_.end(), 0.0);
    strength_ = strength_before_ = 0;
  }

  // Stand at the solution of a strength, given on all columns.
  void restart(const double* coef, double strength) {
    last_.assign(coef, coef + size());
    strength_ = strength;
    strength_before_ = 0;
  }

  // Minimize at falling strengths until each gap on the working set is at most `tol`, or `most_sweeps` are spent on eight
  // of them. coefs (size x count) column-major; column t is where strength t starts if known[t], else 0. Returns the sweeps made;
  // `largest_gap` then tells how far that came.
  int solve(const double* strengths, const double* ridges, Index count, double tol, int most_sweeps, const bool* known, double* coefs) {
    int sweeps = 0;
    largest_gap_ = 0;
    near_.assign(square_.size(), false);
    const Index groups = (count + lanes - 1) / lanes;  // of nearly the same size: a group costs the same, however few it holds
    for (Index g = 0, t = 0; g < groups; g++) {
      const int used = static_cast<int>((count - t + groups - g - 1) / (groups - g));
      stand_at(strengths + t, ridges + t, known + t, coefs + t * size(), used);
      sweeps += descend(tol, most_sweeps);
      keep(used, known + t, coefs + t * size());
      t += used;
    }
    return sweeps;
  }

  double largest_gap() const { return largest_gap_; }

  // Was the coefficient of column j not zero, or its correlation near the threshold, at a strength of the last call?
  bool is_near(int j) const { return near_[j]; }

 private:
  static constexpr int every = 3;         // rounds of sweeps between two looks at all columns, but the first
  static constexpr double margin = 0.98;  // columns this near to their threshold may move in the next sweeps

  DescentColumns columns() const {
    return {start_.data(), row_.data(), value_.data(), explained_.data(), rank_, square_.data(), l1_.data(), l2_.data()};
  }
  DescentState state(double* coef) { return {residual_.data(), offset_.data(), coef, strengths_, ridges_}; }

  void append_column(const CscView& X, Index j) {
    double square = 0, explained = 0;
    const std::size_t at = explained_.size();
    explained_.resize(at + rank_, 0.0);
    for (Index k = X.indptr[j]; k < X.indptr[j + 1]; k++) {
      const int i = X.indices[k];
      if (roots_[i] == 0) continue;
      const double value = roots_[i] * X.value(k);
      row_.push_back(i);
      value_.push_back(value);
      square += value * value;
      for (int r = 0; r < rank_; r++) explained_[at + r] += basis_[i * rank_ + r] * value;
    }
    for (int r = 0; r < rank_; r++) explained += explained_[at + r] * explained_[at + r];
    start_.push_back(static_cast<Index>(row_.size()));
    square_.push_back(square - explained > 1e-10 * square ? square - explained : 0.0);
  }

  // Fill the lanes: where a start is known from it, else at the last solution, then further along the line through the
  // last two where that is better. Lanes beyond those used repeat the last one.
  void stand_at(const double* strengths, const double* ridges, const bool* known, const double* starts, int used) {
    if (coef_size_ != size()) {
      coef_ = std::make_unique<products::Aligned>(Index(size()) * lanes);
      coef_size_ = size();
    } else {  // what was not listed is 0
      for (int j : list_) std::fill_n(coef_->data() + Index(j) * lanes, lanes, 0.0);
    }
    bool given[lanes];
    const double* from[lanes];
    for (int t = 0; t < lanes; t++) {
      const int at = std::min(t, used - 1);
      strengths_[t] = strengths[at];
      ridges_[t] = ridges[at];
      given[t] = known[at];
      from[t] = given[t] ? starts + at * Index(size()) : last_.data();
    }
    const bool any_given = std::any_of(given, given + lanes, [](bool is) { return is; });
    list_.clear();
    for (int j = 0; j < size(); j++) {
      double* b = coef_->data() + Index(j) * lanes;
      if (any_given || last_[j] != 0)
        for (int t = 0; t < lanes; t++) b[t] = from[t][j];
      if (before_[j] != 0 || last_[j] != 0 || (any_given && std::any_of(b, b + lanes, [](double x) { return x != 0; }))) list_.push_back(j);
    }
    for (Index i = 0; i < rows_; i++) std::fill_n(residual_.data() + i * lanes, lanes, y_[i]);
    std::fill_n(offset_.data(), rank_ * lanes, 0.0);
    listed_.take(columns(), list_, coef_->data());
    kernels().descent_move(listed_.columns(), listed_.list(), count(), listed_.coef(), state(nullptr));
    if (strength_before_ > strength_ && !std::all_of(given, given + lanes, [](bool is) { return is; })) propose_line(given);
  }

  void propose_line(const bool* given) {
    proposal_.assign(listed_.coef(), listed_.coef() + count() * lanes);
    for (std::size_t a = 0; a < list_.size(); a++)
      for (int t = 0; t < lanes; t++) {
        if (given[t]) continue;
        const double ahead = (strength_ - strengths_[t]) / (strength_before_ - strength_), b = last_[list_[a]];
        const double there = b + ahead * (b - before_[list_[a]]);
        proposal_[a * lanes + t] = there * b > 0 ? there : 0.0;
      }
    propose();
  }

  Index count() const { return static_cast<Index>(list_.size()); }

  // Looks at all columns are dear, so that most rounds look at those listed alone: an end has to be seen by all.
  int descend(double tol, int most_sweeps) {
    int sweeps = 0;
    picked_.reset(new bool[size()]);
    bool everywhere = true;
    for (;;) {
      if (everywhere) listed_.give(coef_->data());
      const double gap = everywhere ? read_gap(columns(), size(), coef_->data()) : read_gap(listed_.columns(), count(), listed_.coef());
      const bool over = gap <= tol || sweeps >= most_sweeps;
      if (over && everywhere) {
        largest_gap_ = std::max(largest_gap_, gap);
        return sweeps;
      }
      if (over) {
        everywhere = true;
        continue;
      }
      if (everywhere) list_picked();
      sweep_and_extrapolate();
      sweeps += descent_memory;
      everywhere = sweeps == descent_memory || sweeps % (every * descent_memory) == 0;
    }
  }

  void list_picked() {
    list_.clear();
    for (int j = 0; j < size(); j++)
      if (picked_[j]) list_.push_back(j);
    listed_.take(columns(), list_, coef_->data());
  }

  void sweep_and_extrapolate() {
    const Index width = count() * lanes;
    history_.resize((descent_memory + 1) * width);
    gather_coefs(history_.data());
    for (int u = 1; u <= descent_memory; u++) {
      check_interrupt();
      kernels().descent_sweep(listed_.columns(), listed_.list(), count(), state(listed_.coef()));
      gather_coefs(history_.data() + u * width);
    }
    double products[descent_memory * (descent_memory + 1) / 2 * lanes], shares[descent_memory * lanes];
    kernels().descent_step_products(history_.data(), count(), products);
    extrapolation_shares(products, shares);
    proposal_.resize(width);
    kernels().descent_combine_steps(history_.data(), count(), shares, proposal_.data());
    propose();
  }

  void gather_coefs(double* out) { std::copy_n(listed_.coef(), count() * lanes, out); }

  // Move the coefficients of list_ to the proposal, in the lanes whose objective that lowers.
  void propose() {
    const Index width = count() * lanes;
    double now[lanes], then[lanes];
    old_.resize(width);
    gather_coefs(old_.data());
    objective(old_.data(), residual_.data(), offset_.data(), now);
    std::copy_n(residual_.data(), rows_ * lanes, trial_.data());
    std::copy_n(offset_.data(), rank_ * lanes, trial_offset_.data());
    change_.resize(width);
    for (Index a = 0; a < width; a++) change_[a] = proposal_[a] - old_[a];
    kernels().descent_move(listed_.columns(), listed_.list(), count(), change_.data(), {trial_.data(), trial_offset_.data(), nullptr, strengths_, ridges_});
    objective(proposal_.data(), trial_.data(), trial_offset_.data(), then);
    bool better[lanes];
    for (int t = 0; t < lanes; t++) better[t] = then[t] < now[t];
    take(better, trial_.data(), rows_, residual_.data());
    take(better, trial_offset_.data(), rank_, offset_.data());
    take(better, proposal_.data(), count(), listed_.coef());
  }

  static void take(const bool* lane, const double* from, Index count, double* into) {
    for (Index i = 0; i < count; i++)
      for (int t = 0; t < lanes; t++) into[i * lanes + t] = lane[t] ? from[i * lanes + t] : into[i * lanes + t];
  }

  void objective(const double* coef, const double* residual, const double* offset, double* value) {
    double agreement[lanes], squares[lanes];
    kernels().descent_penalty(listed_.columns(), listed_.list(), count(), coef, strengths_, ridges_, value);
    kernels().descent_moments(rows_, residual, basis_.data(), rank_, offset, y_.data(), squares, agreement);
    for (int t = 0; t < lanes; t++) value[t] += 0.5 * squares[t];
  }

  // The largest duality gap of the lanes, over some columns; see squared_dual in problem. Who may move is picked.
  double read_gap(const DescentColumns& among, Index many, double* coef) {
    DescentReading reading;
    double squares[lanes], agreement[lanes], largest = 0;
    kernels().descent_check(among, many, state(coef), margin, picked_.get(), &reading);
    kernels().descent_moments(rows_, residual_.data(), basis_.data(), rank_, offset_.data(), y_.data(), squares, agreement);
    for (int t = 0; t < lanes; t++) {
      double dual = agreement[t] - 0.5 * squares[t];
      if (ridges_[t] > 0) {
        dual -= reading.conjugate[t] / (2 * ridges_[t]);
      } else if (squares[t] > 0) {
        const double cap = reading.ratio[t] > 0 ? strengths_[t] / reading.ratio[t] : std::numeric_limits<double>::infinity();
        const double scale = std::min(std::max(agreement[t] / squares[t], -cap), cap);
        dual = scale * agreement[t] - 0.5 * scale * scale * squares[t];
      }
      largest = std::max(largest, 0.5 * squares[t] + reading.penalty[t] - dual);
    }
    return largest;
  }

  // `coefs` are 0 where no start was known.
  void keep(int used, const bool* known, double* coefs) {
    for (int j = 0; j < size(); j++) near_[j] = near_[j] || picked_[j];
    for (int t = 0; t < used; t++) {
      double* into = coefs + t * Index(size());
      if (known[t]) std::fill_n(into, size(), 0.0);  // else it is
      for (int j : list_) into[j] = coef_->data()[Index(j) * lanes + t];
    }
    if (used > 1 || strength_ > strengths_[0]) {
      strength_before_ = used > 1 ? strengths_[used - 2] : strength_;
      if (used > 1)
        std::copy_n(coefs + (used - 2) * Index(size()), size(), before_.begin());
      else
        before_ = last_;
    } else {
      strength_before_ = 0;
    }
    std::copy_n(coefs + (used - 1) * Index(size()), size(), last_.begin());
    strength_ = strengths_[used - 1];
  }

  Index rows_;
  int rank_;
  std::vector<double> roots_, basis_, y_;
  std::vector<Index> start_;
  std::vector<int> row_, list_;
  std::vector<double> value_, explained_, square_, l1_, l2_;
  std::vector<double> last_, before_;          // the last two solutions
  double strength_ = 0, strength_before_ = 0;  // and their strengths; 0: there is none
  double strengths_[lanes], ridges_[lanes], largest_gap_ = 0;
  products::Aligned residual_, trial_, offset_, trial_offset_;
  std::unique_ptr<products::Aligned> coef_;  // (size x lanes), 0 but for list_
  int coef_size_ = 0;
  std::unique_ptr<bool[]> picked_;  // by column after a look at all, else by place in the list
  std::vector<bool> near_;
  DescentList listed_;  // those of list_
  std::vector<double> history_, proposal_, old_, change_;
};

}  // namespace shrinkage
