#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "shrinkage/groups.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Index;
namespace groups = shrinkage::groups;
using groups::Addresses;

namespace {

bool is_wide(const std::string& storage) {
  if (storage != "float32" && storage != "float64") throw std::invalid_argument("storage must be 'float32' or 'float64'; got '" + storage + "'");
  return storage == "float64";
}

void check(const groups::Tensors& x, std::initializer_list<std::size_t> lengths) {
  for (const std::size_t length : lengths)
    if (length != x.w.size()) throw std::invalid_argument("lists of one entry per tensor differ in length");
  for (std::size_t k = 0; k < x.w.size(); k++)
    if (x.lams[k].size() != 1 && static_cast<Index>(x.lams[k].size()) != x.groups[k])
      throw std::invalid_argument("lams must hold, for each tensor, one number or one per group");
}

void group_prox(const std::string& storage, Addresses params, Addresses steps, std::vector<double> step_values, std::vector<Index> outers,
                std::vector<Index> n_groups, std::vector<Index> inners, std::vector<std::vector<double>> lams, double l1, double l2, int threads) {
  const bool wide = is_wide(storage);
  const std::initializer_list<std::size_t> lengths = {steps.size(), step_values.size(), outers.size(), n_groups.size(), inners.size(), lams.size()};
  const groups::Tensors x{std::move(params),   std::move(steps),  std::move(step_values), std::move(outers),
                          std::move(n_groups), std::move(inners), std::move(lams)};
  check(x, lengths);
  nb::gil_scoped_release unlocked;
  groups::prox(wide, x, l1, l2, threads);
}

void dual_group_step(const std::string& storage, Addresses params, Addresses duals, Addresses thresholds, Addresses group_thresholds,
                     Addresses displacements, Addresses steps, std::vector<double> step_values, std::vector<Index> outers,
                     std::vector<Index> n_groups, std::vector<Index> inners, std::vector<std::vector<double>> lams, double l1, double l2,
                     double memory, int threads) {
  const bool wide = is_wide(storage), with_l1 = !thresholds.empty();
  const std::size_t tensors = params.size();
  const std::initializer_list<std::size_t> lengths = {duals.size(),
                                                      with_l1 ? thresholds.size() : tensors,
                                                      group_thresholds.size(),
                                                      displacements.size(),
                                                      steps.size(),
                                                      step_values.size(),
                                                      outers.size(),
                                                      n_groups.size(),
                                                      inners.size(),
                                                      lams.size()};
  const groups::Tensors x{std::move(params),   std::move(steps),  std::move(step_values), std::move(outers),
                          std::move(n_groups), std::move(inners), std::move(lams)};
  const groups::Duals d{std::move(duals), std::move(thresholds), std::move(group_thresholds), std::move(displacements)};
  check(x, lengths);
  nb::gil_scoped_release unlocked;
  groups::dual(wide, x, d, l1, l2, memory, threads);
}

}  // namespace

void bind_groups(nb::module_& m) {
  m.def("group_prox", &group_prox, "storage"_a, "params"_a, "steps"_a, "step_values"_a, "outers"_a, "groups"_a, "inners"_a, "lams"_a, nb::kw_only(),
        "l1"_a, "l2"_a, "threads"_a,
        "The prox of sum l1 |w| + l2/2 w^2 + lam_g ||w_g|| on tensors given by address, in place; a tensor is (outer, groups, inner) in C order. A "
        "step of address 0 stands for the number in step_values.");
  m.def("dual_group_step", &dual_group_step, "storage"_a, "params"_a, "duals"_a, "thresholds"_a, "group_thresholds"_a, "displacements"_a, "steps"_a,
        "step_values"_a, "outers"_a, "groups"_a, "inners"_a, "lams"_a, nb::kw_only(), "l1"_a, "l2"_a, "memory"_a, "threads"_a,
        "One step of dual averaging under the penalty of group_prox, in place in params, duals and both thresholds; one step length for each group, "
        "that of the root mean square of 1 / step. thresholds, those of l1, may be empty where l1 is 0.");
}
