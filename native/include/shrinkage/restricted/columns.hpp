#pragma once
#include <vector>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// sum_z values[z] u[row[z]]: four sums side by side, for one would wait for itself
inline double gathered(const double* values, const int* row, Index count, const double* u) {
  double sums[4] = {0, 0, 0, 0};
  Index z = 0;
  for (; z + 4 <= count; z += 4)
    for (int s = 0; s < 4; s++) sums[s] += values[z + s] * u[row[z + s]];
  for (; z < count; z++) sums[0] += values[z] * u[row[z]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// The columns of a working set, dense (column-major) or compressed; touched through picked positions. Owns nothing.
//
// With several classes, each column x_j stands for one virtual column per class: position j classes + k is x_j in the rows
// of class k, 0 in the others, and a vector over rows has the rows of class after class.
struct Columns {
  Index rows = 0;
  int count = 0;                  // of virtual columns
  const double* dense = nullptr;  // null for compressed columns
  Index ld = 0;
  const Index* starts = nullptr;  // (count + 1)
  const int* row_of = nullptr;
  const double* values = nullptr;
  int classes = 1;

  Columns for_classes(int k) const {
    Columns x = *this;
    x.classes = k;
    x.count = count * k;
    return x;
  }

  // out[k] = x_picked[k]' u
  void dots(const int* picked, Index m, const double* u, double* out) const {
    if (classes > 1) {
      by_class(picked, m, [&](const Columns& one, int k, const std::vector<int>& of, const std::vector<int>& place) {
        std::vector<double> found(of.size());
        one.dots(of.data(), static_cast<Index>(of.size()), u + k * rows, found.data());
        for (size_t a = 0; a < of.size(); a++) out[place[a]] = found[a];
      });
      return;
    }
    if (dense) {
      kernels().picked_dots(dense, ld, rows, picked, m, u, out);
      return;
    }
    for (Index k = 0; k < m; k++) {
      const Index from = starts[picked[k]];
      out[k] = gathered(values + from, row_of + from, starts[picked[k] + 1] - from, u);
    }
  }

  // u -= sum_k coefficients[k] x_picked[k]
  void subtract(const int* picked, Index m, const double* coefficients, double* u) const {
    if (classes > 1) {
      by_class(picked, m, [&](const Columns& one, int k, const std::vector<int>& of, const std::vector<int>& place) {
        std::vector<double> own(of.size());
        for (size_t a = 0; a < of.size(); a++) own[a] = coefficients[place[a]];
        one.subtract(of.data(), static_cast<Index>(of.size()), own.data(), u + k * rows);
      });
      return;
    }
    if (dense) {
      kernels().subtract_columns(dense, ld, rows, picked, m, coefficients, u);
      return;
    }
    for (Index k = 0; k < m; k++)
      for (Index z = starts[picked[k]]; z < starts[picked[k] + 1]; z++) u[row_of[z]] -= coefficients[k] * values[z];
  }

  // x_j' diag(weights) x_j, for weights that are the same in every class
  double weighted_square(int position, const double* weights) const {
    const int j = position / classes;
    double sum = 0;
    if (dense)
      for (Index i = 0; i < rows; i++) sum += weights[i] * dense[j * ld + i] * dense[j * ld + i];
    else
      for (Index z = starts[j]; z < starts[j + 1]; z++) sum += weights[row_of[z]] * values[z] * values[z];
    return sum;
  }

 private:
  // use(the columns themselves, class, which of them are picked in it, their places among `picked`)
  template <class Use>
  void by_class(const int* picked, Index m, Use use) const {
    Columns one = *this;
    one.classes = 1;
    one.count = count / classes;
    std::vector<int> of, place;
    for (int k = 0; k < classes; k++) {
      of.clear();
      place.clear();
      for (Index a = 0; a < m; a++) {
        if (picked[a] % classes != k) continue;
        of.push_back(picked[a] / classes);
        place.push_back(static_cast<int>(a));
      }
      use(one, k, of, place);
    }
  }
};

}  // namespace shrinkage
