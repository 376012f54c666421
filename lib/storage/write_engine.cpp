#include "storage/write_engine.hpp"

#include "storage/pwrite_engine.hpp"
#include "storage/uring_engine.hpp"

namespace ringway::storage {

std::unique_ptr<WriteEngine> make_write_engine(EngineChoice choice) {
  if (choice == EngineChoice::io_uring) return std::make_unique<UringEngine>();
  return std::make_unique<PwriteEngine>();
}

}  // namespace ringway::storage
