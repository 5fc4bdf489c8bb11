#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/linalg.hpp"
#include "shrinkage/restricted/class_gram.hpp"
#include "shrinkage/restricted/columns.hpp"
#include "shrinkage/restricted/free_block.hpp"

namespace shrinkage {

// H = X_K' D X_K - U'U for candidate columns K and row weights D, with U = L^-1 Z' D X_K: the Hessian on K after the free
// block has been minimized over. Grows at its end. Dense columns cost 2 n k^2 flops through BLAS by blocks of rows,
// compressed ones the sum over rows of (entries in K)^2.
class CandidateGram {
 public:
  const double* data() const { return values_.data(); }
  Index ld() const { return ld_; }
  const double* column(int j) const { return values_.data() + j * ld_; }
  const double* cross(int j) const { return cross_.data() + static_cast<size_t>(j) * free_count_; }  // column j of U

  // Columns from.. of H; those before stand, and were computed with the same weights.
  void compute(const Columns& x, const FreeBlock& free, const std::vector<int>& picked, int from, const double* weights) {
    const int k = static_cast<int>(picked.size());
    free_count_ = free.count();
    reserve(from, k);
    for (int j = 0; j < k; j++) std::fill(at(std::max(from, j), j), at(k, j), 0.0);
    if (x.classes > 1)
      of_classes_.add(x, picked, from, weights, values_.data(), ld_);
    else if (x.dense && from == 0)
      add_dense(x, picked, weights);
    else if (x.dense)
      append_dense(x, picked, from, weights);
    else
      add_compressed(x, picked, from, weights);
    project(x, free, picked, from);
  }

 private:
  static constexpr Index block_rows = 512;
  static constexpr int few = 20;
  static constexpr int narrow = 64;  // candidates up to which tiles that do not pack outrun BLAS (30 of 569 rows: 3 times)
  static constexpr int tile = 5;     // columns that go together there

  double* at(int i, int j) { return values_.data() + j * ld_ + i; }

  void reserve(int kept, int size) {
    if (size <= ld_) return;
    const Index ld = (std::max<Index>(size + 16, ld_ + ld_ / 2) + 7) / 8 * 8;
    std::vector<double> grown(static_cast<size_t>(ld) * ld);
    for (int j = 0; j < kept; j++) std::memcpy(grown.data() + j * ld, column(j), kept * sizeof(double));
    values_.swap(grown);
    ld_ = ld;
  }

  // X_K' D X_K, lower triangle, of all candidates: blocks of rows scaled by the roots of their weights.
  void add_dense(const Columns& x, const std::vector<int>& picked, const double* weights) {
    const int k = static_cast<int>(picked.size());
    const Index blocks = std::max<Index>(1, (x.rows + block_rows - 1) / block_rows), tall = (x.rows + blocks - 1) / blocks;
    scaled_.resize(static_cast<size_t>(tall) * k);
    for (Index start = 0; start < x.rows; start += tall) {
      check_interrupt();
      const int rows = static_cast<int>(std::min(tall, x.rows - start));
      root_.resize(rows);
      for (int i = 0; i < rows; i++) root_[i] = std::sqrt(weights[start + i]);
      for (int c = 0; c < k; c++) {
        const double* from_column = x.dense + picked[c] * x.ld + start;
        double* into = scaled_.data() + static_cast<size_t>(c) * rows;
        for (int i = 0; i < rows; i++) into[i] = root_[i] * from_column[i];
      }
      if (k > narrow)
        linalg::syrk(linalg::Op::transpose, k, rows, 1.0, scaled_.data(), rows, 1.0, at(0, 0), static_cast<int>(ld_));
      else
        add_squares(k, rows);
    }
  }

  // H += scaled' scaled, lower triangle: a few columns at a time against those from them on
  void add_squares(int k, Index rows) {
    for (int j = 0; j < k; j += tile) {
      const double* from = scaled_.data() + j * rows;
      kernels().dots(from, rows, rows, k - j, from, rows, std::min(tile, k - j), at(j, j), ld_);
    }
  }

  // A few new candidates: weighted copies of them against the working set as it lies, without gathering the old ones.
  void append_dense(const Columns& x, const std::vector<int>& picked, int from, const double* weights) {
    const int k = static_cast<int>(picked.size());
    for (int start = from; start < k; start += few) {
      check_interrupt();
      const int count = std::min(few, k - start);
      scaled_.resize(static_cast<size_t>(x.rows) * count);
      for (int c = 0; c < count; c++) {
        const double* column = x.dense + picked[start + c] * x.ld;
        double* into = scaled_.data() + c * x.rows;
        for (Index i = 0; i < x.rows; i++) into[i] = weights[i] * column[i];
      }
      products_.assign(static_cast<size_t>(x.count) * count, 0.0);
      kernels().dots(x.dense, x.ld, x.rows, x.count, scaled_.data(), x.rows, count, products_.data(), x.count);
      for (int j = 0; j < start + count; j++)
        for (int c = std::max(0, j - start); c < count; c++) *at(start + c, j) = products_[static_cast<size_t>(c) * x.count + picked[j]];
    }
  }

  void add_compressed(const Columns& x, const std::vector<int>& picked, int from, const double* weights) {
    compress_rows(x, picked, from);
    for (int j = 0; j < static_cast<int>(picked.size()); j++) {
      check_interrupt();
      double* column = at(0, j);
      for (Index z = x.starts[picked[j]]; z < x.starts[picked[j] + 1]; z++) {
        const int slot = slot_[x.row_of[z]];
        if (slot < 0) continue;
        const double scaled = weights[x.row_of[z]] * x.values[z];
        for (Index u = row_starts_[slot + 1] - 1; u >= row_starts_[slot] && column_of_[u] >= j; u--) column[column_of_[u]] += scaled * row_values_[u];
      }
    }
  }

  // The candidates from.. on, by those rows that they touch: row i at slot_[i], -1 if none does. Within a row positions
  // ascend.
  void compress_rows(const Columns& x, const std::vector<int>& picked, int from) {
    slot_.resize(x.rows, -1);
    for (int row : touched_) slot_[row] = -1;
    touched_.clear();
    row_starts_.assign(1, 0);
    for (size_t a = from; a < picked.size(); a++)
      for (Index z = x.starts[picked[a]]; z < x.starts[picked[a] + 1]; z++) {
        int& slot = slot_[x.row_of[z]];
        if (slot < 0) {
          slot = static_cast<int>(touched_.size());
          touched_.push_back(x.row_of[z]);
          row_starts_.push_back(0);
        }
        row_starts_[slot + 1]++;
      }
    for (size_t s = 0; s < touched_.size(); s++) row_starts_[s + 1] += row_starts_[s];
    column_of_.resize(row_starts_.back());
    row_values_.resize(row_starts_.back());
    next_.assign(row_starts_.begin(), row_starts_.end() - 1);
    for (size_t a = from; a < picked.size(); a++)
      for (Index z = x.starts[picked[a]]; z < x.starts[picked[a] + 1]; z++) {
        const Index into = next_[slot_[x.row_of[z]]]++;
        column_of_[into] = static_cast<int>(a);
        row_values_[into] = x.values[z];
      }
  }

  // Take out what the free block explains, and fill the upper triangle.
  void project(const Columns& x, const FreeBlock& free, const std::vector<int>& picked, int from) {
    const int k = static_cast<int>(picked.size()), q = free_count_;
    cross_.resize(static_cast<size_t>(k) * q);
    products_.resize(k - from);
    for (int a = 0; a < q; a++) {
      x.dots(picked.data() + from, k - from, free.weighted(a), products_.data());
      for (int c = from; c < k; c++) cross_[static_cast<size_t>(c) * q + a] = products_[c - from];
    }
    for (int c = from; c < k; c++) free.forward(cross_.data() + static_cast<size_t>(c) * q);
    for (int j = 0; j < k; j++)
      for (int i = std::max(from, j); i < k; i++) {
        double value = *at(i, j);
        for (int a = 0; a < q; a++) value -= cross(i)[a] * cross(j)[a];
        *at(i, j) = value;
        *at(j, i) = value;
      }
  }

  ClassGram of_classes_;
  std::vector<double> values_, cross_, scaled_, root_, products_, row_values_;
  std::vector<Index> row_starts_, next_;
  std::vector<int> column_of_, slot_, touched_;
  Index ld_ = 0;
  int free_count_ = 0;
};

}  // namespace shrinkage
