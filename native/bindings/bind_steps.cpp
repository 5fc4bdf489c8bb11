#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

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
  m.def(
      "lend_threads", [](std::uintptr_t gomp_parallel) { shrinkage::team::lent() = reinterpret_cast<shrinkage::team::Parallel>(gomp_parallel); },
      "gomp_parallel"_a, "Steps run on the threads of the OpenMP whose GOMP_parallel lies there; 0: on threads of their own.");
}
