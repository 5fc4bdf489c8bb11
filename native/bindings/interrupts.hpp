#pragma once
#include <nanobind/nanobind.h>

#include "shrinkage/interrupt.hpp"

// Runs a computation without the GIL; a Ctrl-C that it noticed becomes Python's KeyboardInterrupt.
template <class Computation>
void without_gil(const Computation& compute) {
  bool interrupted = false;
  {
    nanobind::gil_scoped_release unlocked;
    try {
      compute();
    } catch (const shrinkage::Interrupted&) {
      interrupted = true;
    }
  }
  if (interrupted) throw nanobind::python_error();  // PyErr_CheckSignals has set it
}
