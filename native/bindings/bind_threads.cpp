#include <nanobind/nanobind.h>

#include <utility>

#include "shrinkage/team.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_threads(nb::module_& m) {
  m.def("threads", [] { return shrinkage::team::limit().load(); }, "The most threads that a call may use, the calling one included.");
  m.def(
      "set_threads", [](int count) { shrinkage::team::limit() = count < 1 ? 1 : count; }, "count"_a,
      "Sets the most threads that a call may use; bits do not depend on it.");
  m.def(
      "work_alone", [](bool alone) { return std::exchange(shrinkage::pool::inside, alone); }, "alone"_a,
      "Whether calls from this thread do without others from now on; returns what held before.");
}
