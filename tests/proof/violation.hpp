#pragma once

#include <stdexcept>

namespace ringway::proof {

/// A guarantee that does not hold; the text says which, and where.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ringway::proof
