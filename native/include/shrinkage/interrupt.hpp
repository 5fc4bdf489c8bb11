#pragma once

namespace shrinkage {

// Thrown out of a long computation when the caller asked to stop; what was being computed is lost.
struct Interrupted {};

// Asked between steps of long computations; Python's binding sets it to look for Ctrl-C. Null: never.
inline bool (*interrupt_requested)() = nullptr;

inline void check_interrupt() {
  if (interrupt_requested && interrupt_requested()) throw Interrupted{};
}

}  // namespace shrinkage
