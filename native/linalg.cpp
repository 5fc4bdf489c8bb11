#include "shrinkage/linalg.hpp"

namespace shrinkage {
namespace linalg {

Table& table() {
  static Table functions;
  return functions;
}

}  // namespace linalg
}  // namespace shrinkage
