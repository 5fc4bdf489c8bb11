#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/restricted/columns.hpp"
#include "shrinkage/restricted/extrapolation.hpp"
#include "shrinkage/restricted/free_block.hpp"

namespace shrinkage {

// The quadratic model of a smooth loss on compressed candidate columns and a free block, minimized by coordinate descent:
// no Gram matrix, and a sweep costs two readings of the columns, kept times the roots of the rows' weights. The free block is minimized over throughout: its change e
// is known from the columns' steps, so that each coordinate sees the Hessian that is left. After some sweeps over the support
// their steps are extrapolated (Anderson), which stands where the model is lower there.
class ModelDescent {
 public:
  // Does a model cost less this way than by its Gram matrix?
  static bool pays(const Columns& x, const std::vector<int>& picked) {
    const size_t k = picked.size();
    if (!x.starts || x.classes > 1 || k < least_candidates) return false;
    Index stored = 0;
    for (int j : picked) stored += x.starts[j + 1] - x.starts[j];
    return static_cast<double>(k) * static_cast<double>(k) > gram_price * static_cast<double>(stored + x.rows);
  }

  // How many models were minimized so far.
  int models() const { return models_; }

  struct Point {
    const std::vector<double>& coefs;          // by candidate
    const std::vector<double>& gradient;       // -gradient of the loss, by candidate
    const std::vector<double>& free_gradient;  // and on the free block
    const std::vector<double>& l1;
    const std::vector<double>& l2;
  };

  // target = the model's minimizer, to a violation of `tol` strengths; free_change = the step of the free coefficients.
  // `free` is factored at the weights.
  void minimize(const Columns& x, const FreeBlock& free, const std::vector<int>& picked, const double* weights, const Point& at, double strength,
                double ridge, double tol, std::vector<double>& target, std::vector<double>& free_change) {
    begin(x, free, picked, weights, at, free_change);
    target = at.coefs;
    models_++;
    const Task task{x, free, picked, at, strength, ridge};
    for (int sweeps = 0; sweeps < most_sweeps; sweeps++) {
      list_.clear();
      for (size_t a = 0; a < picked.size(); a++) list_.push_back(static_cast<int>(a));
      if (sweep(task, target, free_change) <= tol) return;
      list_.clear();
      for (size_t a = 0; a < picked.size(); a++)
        if (target[a] != 0) list_.push_back(static_cast<int>(a));
      sweeps += cycle(task, tol, most_sweeps - sweeps, target, free_change);
    }
  }

 private:
  static constexpr size_t least_candidates = 200;
  static constexpr double gram_price = 1.0;
  static constexpr int most_sweeps = 1000;
  static constexpr int memory = 6;  // steps that an extrapolation looks back on

  struct Task {
    const Columns& x;
    const FreeBlock& free;
    const std::vector<int>& picked;
    const Point& at;
    double strength, ridge;
  };
  struct Iterate {
    std::vector<double> coefs, moved, free_change;  // coefs by entry of list_
  };

  void begin(const Columns& x, const FreeBlock& free, const std::vector<int>& picked, const double* weights, const Point& at,
             std::vector<double>& free_change) {
    const int q = free.count();
    free_change = at.free_gradient;
    free.forward(free_change.data());
    free.backward(free_change.data());
    free_start_ = free_change;
    moved_.assign(x.rows, 0.0);
    root_.resize(x.rows);
    for (Index i = 0; i < x.rows; i++) root_[i] = std::sqrt(std::max(weights[i], 0.0));
    scaled_.clear();
    row_.clear();
    start_.assign(1, 0);
    square_.resize(picked.size());
    cross_.assign(picked.size() * q, 0.0);
    response_.resize(picked.size() * q);
    for (size_t a = 0; a < picked.size(); a++) {
      double *cross = cross_.data() + a * q, *response = response_.data() + a * q, square = 0;
      for (Index z = x.starts[picked[a]]; z < x.starts[picked[a] + 1]; z++) {
        const int row = x.row_of[z];
        const double scaled = root_[row] * x.values[z];
        scaled_.push_back(scaled);
        row_.push_back(row);
        square += scaled * scaled;
        for (int b = 0; b < q; b++) cross[b] += scaled * root_[row] * free.column(b)[row];
      }
      start_.push_back(static_cast<Index>(scaled_.size()));
      std::copy_n(cross, q, response);
      free.forward(response);
      double explained = 0;
      for (int b = 0; b < q; b++) explained += response[b] * response[b];
      free.backward(response);
      square_[a] = square - explained > 1e-10 * square ? square - explained : 0.0;
    }
  }

  // Sweeps over list_ until none violates by more than `tol`; returns how many.
  int cycle(const Task& task, double tol, int most, std::vector<double>& target, std::vector<double>& free_change) {
    history_.resize(memory + 1);
    for (int sweeps = 0; sweeps < most;) {
      remember(history_[0], target, free_change);
      for (int u = 1; u <= memory; u++) {
        sweeps++;
        if (sweep(task, target, free_change) <= tol) return sweeps;
        remember(history_[u], target, free_change);
      }
      extrapolate(task, target, free_change);
    }
    return most;
  }

  void remember(Iterate& into, const std::vector<double>& target, const std::vector<double>& free_change) const {
    into.coefs.resize(list_.size());
    for (size_t i = 0; i < list_.size(); i++) into.coefs[i] = target[list_[i]];
    into.moved = moved_;
    into.free_change = free_change;
  }

  void extrapolate(const Task& task, std::vector<double>& target, std::vector<double>& free_change) {
    double products[memory * memory], shares[memory], trace = 0;
    for (int u = 0; u < memory; u++)
      for (int v = 0; v <= u; v++) {
        double sum = 0;
        for (size_t i = 0; i < list_.size(); i++)
          sum += (history_[u + 1].coefs[i] - history_[u].coefs[i]) * (history_[v + 1].coefs[i] - history_[v].coefs[i]);
        products[u * memory + v] = products[v * memory + u] = sum;
      }
    for (int u = 0; u < memory; u++) trace += products[u * memory + u];
    for (int u = 0; u < memory; u++) products[u * memory + u] += 1e-12 * trace;
    if (!affine_weights(products, memory, shares)) return;
    Iterate far = history_[0];
    for (std::vector<double> Iterate::*part : {&Iterate::coefs, &Iterate::moved, &Iterate::free_change})
      for (size_t i = 0; i < (far.*part).size(); i++) {
        double sum = 0;
        for (int u = 0; u < memory; u++) sum += shares[u] * (history_[u + 1].*part)[i];
        (far.*part)[i] = sum;
      }
    if (!(model(task, far) < model(task, history_[memory]))) return;
    for (size_t i = 0; i < list_.size(); i++) target[list_[i]] = far.coefs[i];
    moved_.swap(far.moved);
    free_change.swap(far.free_change);
  }

  // The model, less what does not depend on the coefficients of list_.
  double model(const Task& task, const Iterate& at) const {
    double value = 0;
    for (size_t i = 0; i < list_.size(); i++) {
      const int a = list_[i];
      double gradient = task.at.gradient[a];
      for (size_t b = 0; b < free_start_.size(); b++) gradient -= cross_[a * free_start_.size() + b] * free_start_[b];
      value += task.strength * task.at.l1[a] * std::fabs(at.coefs[i]) + 0.5 * task.ridge * task.at.l2[a] * at.coefs[i] * at.coefs[i];
      value -= gradient * at.coefs[i];
    }
    for (Index i = 0; i < task.x.rows; i++) value += 0.5 * at.moved[i] * at.moved[i];
    for (size_t b = 0; b < free_start_.size(); b++) {
      double along = 0;
      for (Index i = 0; i < task.x.rows; i++) along += task.free.column(static_cast<int>(b))[i] * root_[i] * at.moved[i];
      value -= 0.5 * (free_start_[b] - at.free_change[b]) * along;
    }
    return value;
  }

  // Returns the largest violation met, in strengths.
  double sweep(const Task& task, std::vector<double>& target, std::vector<double>& free_change) {
    const Point& at = task.at;
    const double strength = task.strength, ridge = task.ridge;
    check_interrupt();
    const int q = static_cast<int>(free_change.size());
    double worst = 0;
    for (int a : list_) {
      if (!(square_[a] > 0)) continue;
      const double *scaled = scaled_.data() + start_[a], *cross = cross_.data() + static_cast<size_t>(a) * q;
      const int* row = row_.data() + start_[a];
      const Index count = start_[a + 1] - start_[a];
      double gradient = at.gradient[a] - gathered(scaled, row, count, moved_.data());
      for (int b = 0; b < q; b++) gradient -= cross[b] * free_change[b];
      const double b = target[a], bend = square_[a] + ridge * at.l2[a], pull = gradient + square_[a] * b, threshold = strength * at.l1[a];
      const double there = std::copysign(std::max(std::fabs(pull) - threshold, 0.0), pull) / bend;
      const double d = there - b;
      if (d == 0) continue;
      worst = std::max(worst, std::fabs(d) * bend / threshold);
      target[a] = there;
      for (Index z = 0; z < count; z++) moved_[row[z]] += d * scaled[z];
      for (int e = 0; e < q; e++) free_change[e] -= d * response_[static_cast<size_t>(a) * q + e];
    }
    return worst;
  }

  std::vector<Iterate> history_;
  std::vector<double> free_start_;                 // the change of the free coefficients before any column moves
  std::vector<double> root_;                       // by row: of the weights
  std::vector<double> moved_;                      // by row: the root times the step of the columns
  std::vector<double> scaled_;                     // the candidates' entries times the roots of their rows
  std::vector<int> row_;                           // and their rows
  std::vector<double> square_, cross_, response_;  // by candidate: Hessian left, Z'Dx, and H_ZZ^-1 of that
  std::vector<Index> start_;
  std::vector<int> list_;
  int models_ = 0;
};

}  // namespace shrinkage
