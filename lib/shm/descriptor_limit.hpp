#pragma once

#include <cerrno>

namespace ringway::shm {

/// How to mend a refusal that is due to the limit of open files; "" for any other.
constexpr const char* descriptor_advice(int error_number) noexcept {
  return error_number == EMFILE || error_number == ENFILE
             ? "raise the limit of open files (ulimit -n, LimitNOFILE=)"
             : "";
}

}  // namespace ringway::shm
