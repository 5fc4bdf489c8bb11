#pragma once
#include <cstdint>

// What coordinate descent on residuals asks of the hot loops (k_descent.cpp). Eight strengths go side by side: lane t of
// every row belongs to strength t, so that an irregular access to a row serves all of them.
namespace shrinkage {

constexpr int descent_lanes = 8;
constexpr int descent_memory = 7;  // steps that an extrapolation looks back on

// Columns x_j of a working set, compressed; what the free columns explain of x_j is q_j in an orthonormal basis Q, and
// x_j - Q q_j is the column that the penalty acts on.
struct DescentColumns {
  const std::int64_t* start;
  const int* row;
  const double* value;
  const double* explained;  // q_j, `rank` numbers for each column
  int rank;
  const double* square;  // |x_j|^2 - |q_j|^2, 0 where the column is left alone
  const double* l1;
  const double* l2;
};

// residual (rows x lanes) = y - X b, offset (rank x lanes) = Q'X b, coef (columns x lanes): y - X b + Q offset are the residuals
struct DescentState {
  double* residual;
  double* offset;
  double* coef;
  const double* strength;  // (lanes)
  const double* ridge;     // (lanes)
};

// what a look at all columns says, lane by lane
struct DescentReading {
  double ratio[descent_lanes];      // max_j |c_j| / l1_j
  double conjugate[descent_lanes];  // sum_j max(|c_j| - strength l1_j, 0)^2 / l2_j
  double penalty[descent_lanes];    // strength sum_j l1_j |b_j| + ridge / 2 sum_j l2_j b_j^2
};

}  // namespace shrinkage
