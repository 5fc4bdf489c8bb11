#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>

#include "shrinkage/groups.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;
namespace groups = shrinkage::groups;
using groups::Addresses;

namespace {

void group_prox(const std::string& storage, Addresses params, Addresses steps, std::vector<double> step_values, std::vector<Index> outers,
                std::vector<Index> n_groups, std::vector<Index> inners, std::vector<std::vector<double>> lams, double l1, double l2, int threads) {
  const std::size_t tensors = params.size();
  for (const std::size_t length : {steps.size(), step_values.size(), outers.size(), n_groups.size(), inners.size(), lams.size()})
    if (length != tensors) throw std::invalid_argument("lists of one entry per tensor differ in length");
  for (std::size_t k = 0; k < tensors; k++)
    if (lams[k].size() != 1 && static_cast<Index>(lams[k].size()) != n_groups[k])
      throw std::invalid_argument("lams must hold, for each tensor, one number or one per group");
  if (storage != "float32" && storage != "float64") throw std::invalid_argument("storage must be 'float32' or 'float64'; got '" + storage + "'");
  const bool wide = storage == "float64";
  nb::gil_scoped_release unlocked;
  const groups::Tensors x{std::move(params),   std::move(steps),  std::move(step_values), std::move(outers),
                          std::move(n_groups), std::move(inners), std::move(lams)};
  groups::prox(wide, x, l1, l2, threads);
}

}  // namespace

void bind_groups(nb::module_& m) {
  m.def("group_prox", &group_prox, "storage"_a, "params"_a, "steps"_a, "step_values"_a, "outers"_a, "groups"_a, "inners"_a, "lams"_a, nb::kw_only(),
        "l1"_a, "l2"_a, "threads"_a,
        "The prox of sum l1 |w| + l2/2 w^2 + lam_g ||w_g|| on tensors given by address, in place; a tensor is (outer, groups, inner) in C order. A "
        "step of address 0 stands for the number in step_values.");
}
