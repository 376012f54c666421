#include "storage/write_engine.hpp"

#include "ringway/error.hpp"
#include "storage/pwrite_engine.hpp"
#include "storage/uring_engine.hpp"

namespace ringway::storage {

std::unique_ptr<WriteEngine> make_write_engine(EngineChoice choice) {
  if (choice != EngineChoice::pwrite) {
    try {
      return std::make_unique<UringEngine>();
    } catch (const Error&) {
      // seccomp profiles and sysctls forbid it on many hosts; who insists is told
      if (choice == EngineChoice::io_uring) throw;
    }
  }
  return std::make_unique<PwriteEngine>();
}

}  // namespace ringway::storage
