#include <nanobind/nanobind.h>

#include <string>

#include "shrinkage/linalg.hpp"

namespace nb = nanobind;
namespace linalg = shrinkage::linalg;

namespace {

// SciPy exports every BLAS and LAPACK function as a capsule whose name is its C signature.
template <class Function>
void load(nb::handle capsules, const char* name, Function& slot) {
  nb::object capsule = nb::borrow(capsules[name]);
  const char* signature = PyCapsule_GetName(capsule.ptr());
  if (!signature) throw nb::python_error();
  const std::string text(signature);
  // LP64 signatures say "int *"; a 64-bit-integer build would not, and must not be called with 32-bit integers.
  if (text.find("int *") == std::string::npos)
    throw std::runtime_error("scipy's " + std::string(name) + " has the signature '" + text + "'; 32-bit integers ('int *') were expected");
  slot = reinterpret_cast<Function>(PyCapsule_GetPointer(capsule.ptr(), signature));
}

}  // namespace

void bind_linalg(nb::module_& m) {
  nb::object blas = nb::module_::import_("scipy.linalg.cython_blas").attr("__pyx_capi__");
  nb::object lapack = nb::module_::import_("scipy.linalg.cython_lapack").attr("__pyx_capi__");
  linalg::Table& t = linalg::table();
  load(blas, "dgemm", t.dgemm);
  load(blas, "dgemv", t.dgemv);
  load(blas, "dsyrk", t.dsyrk);
  load(blas, "dtrsm", t.dtrsm);
  load(blas, "dtrsv", t.dtrsv);
  load(lapack, "dpotrf", t.dpotrf);
}
