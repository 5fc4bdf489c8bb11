#include <cstdlib>
#include <cstring>

#include "shrinkage/kernels.hpp"

// One line per k_*.cpp, three times; a new kernel file adds itself to this list.
#define SHRINKAGE_DECLARE(set)              \
  namespace set {                           \
  void fill_quadratic(Kernels& table);      \
  void fill_factor(Kernels& table);         \
  void fill_products(Kernels& table);       \
  void fill_moments(Kernels& table);        \
  void fill_scan(Kernels& table);           \
  void fill_between(Kernels& table);        \
  void fill_csc(Kernels& table);            \
  void fill_descent(Kernels& table);        \
  void fill_sweeps(Kernels& table);         \
  void fill_adam(Kernels& table);           \
  void fill_sgd(Kernels& table);            \
  void fill_groups(Kernels& table);         \
  void fill_dual_groups(Kernels& table);    \
  inline void fill(Kernels& table) {        \
    table.isa = #set;                       \
    fill_quadratic(table);                  \
    fill_factor(table);                     \
    fill_products(table);                   \
    fill_moments(table);                    \
    fill_scan(table);                       \
    fill_between(table);                    \
    fill_csc(table);                        \
    fill_descent(table);                    \
    fill_sweeps(table);                     \
    fill_adam(table);                       \
    fill_sgd(table);                        \
    fill_groups(table);                     \
    fill_dual_groups(table);                \
  }                                         \
  }

namespace shrinkage {

SHRINKAGE_DECLARE(baseline)
#ifdef SHRINKAGE_X86
SHRINKAGE_DECLARE(avx2)
SHRINKAGE_DECLARE(avx512)
#endif

namespace {

bool machine_has(const char* isa) {
  if (std::strcmp(isa, "baseline") == 0) return true;
#if defined(SHRINKAGE_X86) && (defined(__GNUC__) || defined(__clang__))
  __builtin_cpu_init();
  if (std::strcmp(isa, "avx2") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (std::strcmp(isa, "avx512") == 0)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
#endif
  return false;
}

Kernels choose() {
  const char* wanted = std::getenv("SHRINKAGE_ISA");
  const auto usable = [wanted](const char* isa) { return (!wanted || !*wanted || std::strcmp(wanted, isa) == 0) && machine_has(isa); };
  Kernels table{};
#ifdef SHRINKAGE_X86
  if (usable("avx512")) {
    avx512::fill(table);
    return table;
  }
  if (usable("avx2")) {
    avx2::fill(table);
    return table;
  }
#endif
  baseline::fill(table);
  return table;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels table = choose();
  return table;
}

}  // namespace shrinkage
