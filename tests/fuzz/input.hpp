#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

namespace ringway::fuzz {

/// What must hold whatever the input is; libFuzzer keeps the input for which it did not.
inline void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// The bytes of one execution, taken from the front. At their end everything is 0.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t bytes) : rest_(data, bytes) {}

  bool empty() const noexcept { return rest_.empty(); }
  template <class T>
  T take() noexcept {
    T value{};
    const std::size_t bytes = std::min(sizeof value, rest_.size());
    if (bytes != 0) std::memcpy(&value, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return value;
  }
  std::span<const std::uint8_t> bytes(std::size_t count) noexcept {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// Up to the next NUL, or all there is.
  std::string_view text() noexcept {
    const std::string_view all(reinterpret_cast<const char*>(rest_.data()), rest_.size());
    const std::string_view line = all.substr(0, all.find('\0'));
    rest_ = rest_.subspan(std::min(rest_.size(), line.size() + 1));
    return line;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace ringway::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes);
