#pragma once
#include <cstdint>

// What the fused optimizer steps pass to their kernels (native/kernels/k_adam.cpp, k_sgd.cpp). Plain data; every number
// is already in the precision of the arithmetic, float32.
namespace shrinkage {

// A bfloat16 is the upper half of a float32.
struct Bfloat16 {
  std::uint16_t bits;
};

// How a penalty goes on from |w|: straight on, or as MCP and SCAD do.
enum class Bend { none, mcp, scad };

// Adam: d = max(sqrt(v) inv_root_bias + eps, floor); the step of a weight is r = step / d, its thresholds
// r l1 + l1_constant and r l2 + l2_constant.
struct AdamScalars {
  float sign;             // -1 ascends
  float weight_decay;     // gradient += weight_decay w
  float shrink;           // w *= shrink comes first: decoupled decay
  float beta1, beta2, beta1_rest, beta2_rest;  // rest: 1 - beta, subtracted in double
  float inv_root_bias;    // 1 / sqrt(1 - beta2^t)
  float eps, floor;
  float step;             // lr / (1 - beta1^t)
  float l1, l2;           // times (1 - beta1^t), so that r l1 = lr l1 / d
  float l1_constant, l2_constant;
  float memory;           // dual averaging forgets by it; 1 keeps all
  Bend bend;              // what is not `none` leaves large weights unshrunk, has no l2 and knows no dual averaging
  float lambda, edge;     // slope at zero, and the size from which a weight is unshrunk
  float concavity;        // 1 - r concavity is the slope's reciprocal on the bend, > 0 by the floor
};

template <class Real, class Dual = Real>
struct AdamArrays {
  Real* w;
  const Real* g;
  Real *m, *v, *v_max;  // v_max null: no amsgrad
  Dual *z, *threshold;   // dual averaging only
  const float* factors;  // multipliers of the penalty's strength; null: 1
};

// SGD: u = momentum as torch has it; w <- soft(w - lr u, l1) / (1 + l2) with thresholds of the whole tensor.
struct SgdScalars {
  float sign, weight_decay;
  float momentum, rest;  // rest: 1 - dampening
  bool first, nesterov;  // first: the buffer starts as the gradient
  float lr, l1, l2;
  float memory, threshold;  // dual averaging: the threshold of the step before, times memory
};

template <class Real, class Dual = Real>
struct SgdArrays {
  Real* w;
  const Real* g;
  Real* buffer;  // null: no momentum
  Dual* z;       // dual averaging only
  const float* factors;  // multipliers of l1 and l2, without dual averaging; null: 1
};

}  // namespace shrinkage
