#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

#include "shrinkage/kernels.hpp"

namespace shrinkage {

// The rows of one stratum with one time, by position: those censored then, and those who die then. All are at risk.
struct RiskGroup {
  int first, deaths, end;  // censored [first, deaths), dying [deaths, end)
  bool opens;              // the first of its stratum: nobody has been at risk before
  double death_weight;
};

// Who is at risk when: the rows that carry weight, by stratum and, latest first, by time. Who was at risk at a time are
// all of its stratum up to the end of its group. Rows censored before their stratum's first death say nothing: they are
// left out, and have weight 0 here.
struct RiskSets {
  bool efron = false;
  std::vector<int> order;  // rows, by position
  std::vector<RiskGroup> groups;
  std::vector<double> weights;  // by row
  int strata = 0;

  RiskSets(Index rows, const double* time, const double* event, const double* stratum, const double* row_weights, bool by_efron)
      : efron(by_efron), weights(row_weights, row_weights + rows) {
    for (Index i = 0; i < rows; i++)
      if (weights[i] > 0) order.push_back(static_cast<int>(i));
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      if (stratum[a] != stratum[b]) return stratum[a] < stratum[b];
      if (time[a] != time[b]) return time[a] > time[b];
      return event[a] < event[b];
    });
    group(time, event, stratum);
    drop_uninformative();
  }

 private:
  void group(const double* time, const double* event, const double* stratum) {
    const int n = static_cast<int>(order.size());
    for (int first = 0, end = 0; first < n; first = end) {
      const int row = order[first];
      const bool opens = first == 0 || stratum[order[first - 1]] != stratum[row];
      RiskGroup g{first, first, first, opens, 0};
      for (end = first; end < n && stratum[order[end]] == stratum[row] && time[order[end]] == time[row]; end++) {
        if (!(event[order[end]] > 0))
          g.deaths = end + 1;
        else
          g.death_weight += weights[order[end]];
      }
      g.end = end;
      groups.push_back(g);
    }
  }

  // Groups without deaths that no death of their stratum follows.
  void drop_uninformative() {
    std::vector<RiskGroup> kept;
    std::vector<int> rows;
    bool followed = false;
    for (size_t k = groups.size(); k-- > 0;) {
      const RiskGroup& g = groups[k];
      followed = followed || g.deaths < g.end;
      if (followed) kept.push_back(g);
      if (!followed)
        for (int at = g.first; at < g.end; at++) weights[order[at]] = 0;
      if (g.opens) followed = false;
    }
    std::reverse(kept.begin(), kept.end());
    for (RiskGroup& g : kept) {
      const int shift = g.first - static_cast<int>(rows.size());
      rows.insert(rows.end(), order.begin() + g.first, order.begin() + g.end);
      g.first -= shift;
      g.deaths -= shift;
      g.end -= shift;
      strata += g.opens;
    }
    order.swap(rows);
    groups.swap(kept);
  }
};

// The rows of columns as differences from running means over the risk sets, under which the Hessian of a Cox model is
// diagonal: a variance over a set that grows is a sum of squares, one for each row that joins (Welford 1962,
// Technometrics 4(3)). Those who die at one time join each other first, and then, as one, those at risk before.
class RunningMeans {
 public:
  void set(const RiskSets* sets, Index rows) {
    sets_ = sets;
    rows_ = rows;
    share_.assign(sets->order.size(), 0.0);
  }
  bool exists() const { return sets_ != nullptr; }
  double& share(int position) { return share_[position]; }  // of the row, or of all who die, in what it joins

  // z[c] (by position, zeros to the end) from x[c] (by row)
  void apply(const double* const* x, double* const* z, int count) const {
    int c = 0;
    for (; c + 8 <= count; c += 8) columns<8>(x + c, z + c);  // side by side: one alone waits for each mean
    for (; c < count; c++) columns<1>(x + c, z + c);
  }

 private:
  template <int W>
  void columns(const double* const* x, double* const* z) const {
    double mean[W] = {}, dying[W] = {};
    for (const RiskGroup& g : sets_->groups) {
      for (int at = g.first; at < g.deaths; at++) join<W>(x, z, at, mean);
      if (g.deaths == g.end) continue;
      for (int w = 0; w < W; w++) dying[w] = x[w][sets_->order[g.deaths]];
      for (int at = g.deaths + 1; at < g.end; at++) join<W>(x, z, at, dying);
      for (int w = 0; w < W; w++) {
        const double apart = dying[w] - mean[w];
        z[w][g.deaths] = apart;
        mean[w] += share_[g.deaths] * apart;
      }
    }
    for (int w = 0; w < W; w++) std::fill(z[w] + share_.size(), z[w] + rows_, 0.0);
  }

  template <int W>
  void join(const double* const* x, double* const* z, int at, double* mean) const {
    const int row = sets_->order[at];
    const double share = share_[at];
    for (int w = 0; w < W; w++) {
      const double apart = x[w][row] - mean[w];
      z[w][at] = apart;
      mean[w] += share * apart;
    }
  }

  const RiskSets* sets_ = nullptr;
  Index rows_ = 0;
  std::vector<double> share_;
};

}  // namespace shrinkage
