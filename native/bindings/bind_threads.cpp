#include <nanobind/nanobind.h>

#include "shrinkage/team.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_threads(nb::module_& m) {
  m.def("threads", [] { return shrinkage::team::limit().load(); }, "The most threads that a call may use, the calling one included.");
  m.def(
      "set_threads", [](int count) { shrinkage::team::limit() = count < 1 ? 1 : count; }, "count"_a,
      "Sets the most threads that a call may use; bits do not depend on it.");
}
