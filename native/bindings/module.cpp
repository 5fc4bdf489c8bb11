#include <nanobind/nanobind.h>

#include "shrinkage/interrupt.hpp"
#include "shrinkage/kernels.hpp"

namespace nb = nanobind;

// The table of contents of the compiled module; each concept binds itself in its own file.
void bind_design(nb::module_& m);
void bind_linalg(nb::module_& m);
void bind_restricted(nb::module_& m);
void bind_descent(nb::module_& m);
void bind_path(nb::module_& m);
void bind_newton(nb::module_& m);
void bind_class_ridge(nb::module_& m);
void bind_moments(nb::module_& m);
void bind_steps(nb::module_& m);
void bind_groups(nb::module_& m);
void bind_penalized(nb::module_& m);
void bind_group_fits(nb::module_& m);
void bind_threads(nb::module_& m);

static bool control_c() {
  nb::gil_scoped_acquire locked;
  return PyErr_CheckSignals() != 0;
}

NB_MODULE(_core, m) {
  shrinkage::interrupt_requested = control_c;
  m.doc() = "The compiled core of shrinkage. Private: shapes, dtypes and order are checked by its callers.";
  m.def("isa", [] { return shrinkage::kernels().isa; }, "Instruction set of the kernels in use: baseline, avx2 or avx512.");
  bind_linalg(m);
  bind_design(m);
  bind_restricted(m);
  bind_descent(m);
  bind_path(m);
  bind_newton(m);
  bind_class_ridge(m);
  bind_moments(m);
  bind_steps(m);
  bind_groups(m);
  bind_penalized(m);
  bind_group_fits(m);
  bind_threads(m);
}
