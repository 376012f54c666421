#include "client/partitioner.hpp"

#include <xxhash.h>

namespace ringway {

std::uint32_t partition_of(Bytes key, std::uint32_t partitions) noexcept {
  // A null pointer is no empty string to XXH3.
  const char* bytes = key.empty() ? "" : key.text().data();
  return static_cast<std::uint32_t>(XXH3_64bits(bytes, key.size()) % partitions);
}

}  // namespace ringway
