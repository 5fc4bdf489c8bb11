#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "shrinkage/steps.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using shrinkage::Bend;
using shrinkage::Index;
namespace steps = shrinkage::steps;
using steps::Addresses;

namespace {

steps::Storage storage_named(const std::string& name) {
  if (name == "float32") return steps::Storage::float32;
  if (name == "bfloat16") return steps::Storage::bfloat16;
  if (name == "mixed") return steps::Storage::mixed;
  throw std::invalid_argument("storage must be 'float32', 'bfloat16' or 'mixed'; got '" + name + "'");
}

Bend bend_named(const std::string& name) {
  if (name == "none") return Bend::none;
  if (name == "mcp") return Bend::mcp;
  if (name == "scad") return Bend::scad;
  throw std::invalid_argument("bend must be 'none', 'mcp' or 'scad'; got '" + name + "'");
}

// Every list is empty where that is allowed, or as long as the list of tensors.
template <class... Lists>
void same_length(std::size_t tensors, const Lists&... lists) {
  for (const std::size_t length : {lists.size()...})
    if (length != tensors) throw std::invalid_argument("lists of one entry per tensor differ in length");
}

template <class List>
void same_length_or_empty(std::size_t tensors, const List& list) {
  if (!list.empty()) same_length(tensors, list);
}

std::vector<double> adam_step(const std::string& storage, Addresses params, Addresses grads, Addresses exp_avgs, Addresses exp_avg_sqs,
                              Addresses max_exp_avg_sqs, Addresses duals, Addresses thresholds, std::vector<Index> sizes,
                              std::vector<double> step_counts, std::vector<double> floors, std::vector<double> l1, std::vector<double> l2, double lr,
                              double beta1, double beta2, double eps, double weight_decay, double shrink, bool maximize, bool in_metric,
                              double memory, int threads, Addresses factors, const std::string& bend, double gamma) {
  const std::size_t tensors = params.size();
  same_length(tensors, grads, exp_avgs, exp_avg_sqs, sizes, step_counts, floors, l1, l2);
  same_length_or_empty(tensors, max_exp_avg_sqs);
  same_length_or_empty(tensors, duals);
  same_length(duals.size(), thresholds);
  same_length_or_empty(tensors, factors);
  const steps::Storage kind = storage_named(storage);
  const Bend kind_of_bend = bend_named(bend);
  if (kind_of_bend != Bend::none && !duals.empty()) throw std::invalid_argument("dual steps are for convex penalties");
  nb::gil_scoped_release unlocked;
  const steps::AdamTensors x{std::move(params), std::move(grads),      std::move(exp_avgs), std::move(exp_avg_sqs), std::move(max_exp_avg_sqs),
                             std::move(duals),  std::move(thresholds), std::move(sizes),    std::move(step_counts), std::move(floors),
                             std::move(l1),     std::move(l2),         std::move(factors)};
  return steps::adam(kind, x, {lr, beta1, beta2, eps, weight_decay, shrink, memory, maximize, in_metric, kind_of_bend, gamma}, threads);
}

void sgd_step(const std::string& storage, Addresses params, Addresses grads, Addresses buffers, Addresses duals, std::vector<Index> sizes,
              std::vector<bool> first, std::vector<double> l1, std::vector<double> l2, std::vector<double> kept_thresholds, double lr,
              double momentum, double dampening, double weight_decay, bool nesterov, bool maximize, double memory, int threads, Addresses factors) {
  const std::size_t tensors = params.size();
  same_length(tensors, grads, sizes, first, l1, l2);
  same_length_or_empty(tensors, buffers);
  same_length_or_empty(tensors, duals);
  same_length(duals.size(), kept_thresholds);
  same_length_or_empty(tensors, factors);
  if (!factors.empty() && !duals.empty()) throw std::invalid_argument("dual steps of gradient descent take no factors");
  const steps::Storage kind = storage_named(storage);
  nb::gil_scoped_release unlocked;
  const steps::SgdTensors x{std::move(params), std::move(grads), std::move(buffers), std::move(duals),           std::move(sizes),
                            std::move(first),  std::move(l1),    std::move(l2),      std::move(kept_thresholds), std::move(factors)};
  steps::sgd(kind, x, {lr, momentum, dampening, weight_decay, memory, nesterov, maximize}, threads);
}

// Numbers of each tensor, a row for each kind: C-contiguous float64.
using Rows = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Addresses of the members of float32 stacks, stack after stack; 0 stays 0.
Addresses members_of(const Addresses& stacks, const std::vector<Index>& sizes, std::size_t members) {
  Addresses all;
  if (stacks.empty()) return all;
  same_length(stacks.size(), sizes);
  all.reserve(stacks.size() * members);
  for (std::size_t j = 0; j < stacks.size(); j++)
    for (std::size_t k = 0; k < members; k++)
      all.push_back(stacks[j] == 0 ? 0 : stacks[j] + k * static_cast<steps::Address>(sizes[j]) * sizeof(float));
  return all;
}

std::vector<Index> sizes_of(const std::vector<Index>& sizes, std::size_t members) {
  std::vector<Index> all;
  for (const Index size : sizes) all.insert(all.end(), members, size);
  return all;
}

std::vector<double> row(const Rows& rows, std::size_t k) {
  const double* first = rows.data() + k * rows.shape(1);
  return {first, first + rows.shape(1)};
}

void check_rows(const Rows& rows, std::size_t kinds, std::size_t tensors) {
  if (rows.shape(0) != kinds || rows.shape(1) != tensors) throw std::invalid_argument("rows must be one per kind, of one number per tensor");
}

void adam_step_stacked(const Addresses& params, const Addresses& grads, const Addresses& exp_avgs, const Addresses& exp_avg_sqs,
                       const Addresses& max_exp_avg_sqs, const Addresses& duals, const Addresses& thresholds, const std::vector<Index>& sizes,
                       std::size_t members, Rows rows, double beta1, double beta2, double eps, bool maximize, bool in_metric, double memory,
                       int threads, Addresses factors, const std::string& bend, double gamma) {
  const std::size_t tensors = sizes.size() * members;
  same_length(sizes.size(), params, grads, exp_avgs, exp_avg_sqs);
  same_length(duals.size(), thresholds);
  same_length_or_empty(tensors, factors);
  check_rows(rows, 8, tensors);
  const Bend kind_of_bend = bend_named(bend);
  if (kind_of_bend != Bend::none && !duals.empty()) throw std::invalid_argument("dual steps are for convex penalties");
  nb::gil_scoped_release unlocked;
  const auto all = [&](const Addresses& stacks) { return members_of(stacks, sizes, members); };
  const steps::AdamTensors x{
      all(params),  all(grads),   all(exp_avgs), all(exp_avg_sqs), all(max_exp_avg_sqs), all(duals),   all(thresholds), sizes_of(sizes, members),
      row(rows, 0), row(rows, 1), row(rows, 2),  row(rows, 3),     std::move(factors),   row(rows, 4), row(rows, 5),    row(rows, 6)};
  const steps::AdamStep step{0, beta1, beta2, eps, 0, 1, memory, maximize, in_metric, kind_of_bend, gamma};
  const std::vector<double> sums = steps::adam(steps::Storage::float32, x, step, threads);
  std::copy(sums.begin(), sums.end(), rows.data() + 7 * tensors);
}

void sgd_step_stacked(const Addresses& params, const Addresses& grads, const Addresses& buffers, const Addresses& duals,
                      const std::vector<Index>& sizes, std::size_t members, Rows rows, double momentum, double dampening, bool nesterov,
                      bool maximize, double memory, int threads, Addresses factors) {
  const std::size_t tensors = sizes.size() * members;
  same_length(sizes.size(), params, grads);
  same_length_or_empty(tensors, factors);
  check_rows(rows, 6, tensors);
  if (!factors.empty() && !duals.empty()) throw std::invalid_argument("dual steps of gradient descent take no factors");
  nb::gil_scoped_release unlocked;
  const auto all = [&](const Addresses& stacks) { return members_of(stacks, sizes, members); };
  std::vector<bool> first;
  for (const double is_first : row(rows, 3)) first.push_back(is_first != 0);
  const steps::SgdTensors x{all(params),  all(grads),         all(buffers), all(duals),  sizes_of(sizes, members), first, row(rows, 0), row(rows, 1),
                            row(rows, 2), std::move(factors), row(rows, 4), row(rows, 5)};
  steps::sgd(steps::Storage::float32, x, {0, momentum, dampening, 0, memory, nesterov, maximize}, threads);
}

}  // namespace

void bind_steps(nb::module_& m) {
  m.def("adam_step", &adam_step, "storage"_a, "params"_a, "grads"_a, "exp_avgs"_a, "exp_avg_sqs"_a, "max_exp_avg_sqs"_a, "duals"_a, "thresholds"_a,
        "sizes"_a, "steps"_a, "floors"_a, "l1"_a, "l2"_a, nb::kw_only(), "lr"_a, "beta1"_a, "beta2"_a, "eps"_a, "weight_decay"_a, "shrink"_a,
        "maximize"_a, "in_metric"_a, "memory"_a, "threads"_a, "factors"_a = Addresses(), "bend"_a = "none", "gamma"_a = 0.0,
        "Adam's step and the penalty's on tensors given by address, in place; duals empty: proximal, else dual averaging. Returns each tensor's sum "
        "of vhat.");
  m.def("sgd_step", &sgd_step, "storage"_a, "params"_a, "grads"_a, "buffers"_a, "duals"_a, "sizes"_a, "first"_a, "l1"_a, "l2"_a, "kept_thresholds"_a,
        nb::kw_only(), "lr"_a, "momentum"_a, "dampening"_a, "weight_decay"_a, "nesterov"_a, "maximize"_a, "memory"_a, "threads"_a,
        "factors"_a = Addresses(), "The step of SGD and the penalty's on tensors given by address, in place; l1 and l2 already times the step.");
  m.def("adam_step_stacked", &adam_step_stacked, "params"_a, "grads"_a, "exp_avgs"_a, "exp_avg_sqs"_a, "max_exp_avg_sqs"_a, "duals"_a, "thresholds"_a,
        "sizes"_a, "members"_a, "rows"_a, nb::kw_only(), "beta1"_a, "beta2"_a, "eps"_a, "maximize"_a, "in_metric"_a, "memory"_a, "threads"_a,
        "factors"_a = Addresses(), "bend"_a = "none", "gamma"_a = 0.0,
        "adam_step on float32 stacks, of `sizes` numbers for each member; rows: steps, floors, l1, l2, lr, weight_decay, shrink of each tensor, "
        "members of the first stack first; into the eighth go the sums of vhat.");
  m.def("sgd_step_stacked", &sgd_step_stacked, "params"_a, "grads"_a, "buffers"_a, "duals"_a, "sizes"_a, "members"_a, "rows"_a, nb::kw_only(),
        "momentum"_a, "dampening"_a, "nesterov"_a, "maximize"_a, "memory"_a, "threads"_a, "factors"_a = Addresses(),
        "sgd_step on float32 stacks; rows: l1, l2 and kept thresholds as there, whether this is the first step, lr, weight_decay.");
  m.def(
      "lend_threads", [](std::uintptr_t gomp_parallel) { shrinkage::team::lent() = reinterpret_cast<shrinkage::team::Parallel>(gomp_parallel); },
      "gomp_parallel"_a, "Steps run on the threads of the OpenMP whose GOMP_parallel lies there; 0: on threads of their own.");
}
