#pragma once
#include <numeric>
#include <vector>

#include "shrinkage/losses/risk_sets.hpp"
#include "shrinkage/restricted/columns.hpp"
#include "shrinkage/restricted/free_block.hpp"

namespace shrinkage {

// Candidate columns and free columns as the rows of `RunningMeans`, kept for one Hessian: dense, side by side.
class CoupledRows {
 public:
  bool exist() const { return means_.exists(); }

  // The free block in the rows of these means.
  FreeBlock begin(const RunningMeans& means, const FreeBlock& free, Index rows) {
    means_ = means;
    free_.resize(static_cast<size_t>(rows) * free.count());
    for (int a = 0; a < free.count(); a++) {
      const double* from = free.column(a);
      double* into = free_.data() + a * rows;
      means_.apply(&from, &into, 1);
    }
    return FreeBlock(rows, free.count(), free_.data());
  }

  // Those before `from` stand.
  Columns columns(const Columns& x, const std::vector<int>& picked, int from) {
    const int count = static_cast<int>(picked.size());
    if (values_.size() < static_cast<size_t>(count) * x.rows) values_.resize(static_cast<size_t>(count + count / 2) * x.rows);
    sources_.clear();
    into_.clear();
    if (!x.dense) spread_.assign(static_cast<size_t>(count - from) * x.rows, 0.0);
    for (int c = from; c < count; c++) {
      into_.push_back(values_.data() + c * x.rows);
      sources_.push_back(x.dense ? x.dense + picked[c] * x.ld : spread_.data() + (c - from) * x.rows);
      if (!x.dense)
        for (Index z = x.starts[picked[c]]; z < x.starts[picked[c] + 1]; z++) spread_[(c - from) * x.rows + x.row_of[z]] = x.values[z];
    }
    means_.apply(sources_.data(), into_.data(), count - from);
    all_.resize(count);
    std::iota(all_.begin(), all_.end(), 0);
    Columns made;
    made.rows = made.ld = x.rows;
    made.count = count;
    made.dense = values_.data();
    return made;
  }

  const std::vector<int>& all() const { return all_; }

 private:
  RunningMeans means_;
  std::vector<double> free_, values_, spread_;
  std::vector<const double*> sources_;
  std::vector<double*> into_;
  std::vector<int> all_;
};

}  // namespace shrinkage
