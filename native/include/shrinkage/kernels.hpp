#pragma once
#include <cstdint>

// The hot loops, as plain functions on pointers. Each is compiled once per instruction set (native/kernels/k_*.cpp)
// and reached through one table, filled once. No STL, no exceptions: an ODR clash between instruction sets
// would let a machine without AVX-512 run AVX-512 code.
namespace shrinkage {

using Index = std::int64_t;

struct Kernels {
  const char* isa;

  // --- k_quadratic.cpp: columns of a column-major matrix picked by index -------------------------------------------
  // out[k] = sum_i G[i, columns[k]] * x[i]
  void (*picked_dots)(const double* G, Index ld, Index rows, const int* columns, Index count, const double* x, double* out);
  // y[i] -= sum_k coefficients[k] * G[i, columns[k]]
  void (*subtract_columns)(const double* G, Index ld, Index rows, const int* columns, Index count, const double* coefficients, double* y);
};

// The table of the best instruction set of this machine, or of the one named by the environment
// variable SHRINKAGE_ISA (baseline, avx2, avx512) where this machine has it.
const Kernels& kernels();

}  // namespace shrinkage
