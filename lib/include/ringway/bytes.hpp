#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace [[gnu::visibility("default")]] ringway {

/// A view of bytes that somebody else owns; made from text or from spans of bytes without a word.
/// Valid while what it was made from is.
class Bytes {
 public:
  constexpr Bytes() noexcept = default;
  constexpr Bytes(std::string_view text) noexcept : text_(text) {}
  constexpr Bytes(const char* text) noexcept : text_(text) {}
  Bytes(const std::string& text) noexcept : text_(text) {}
  Bytes(std::span<const std::byte> bytes) noexcept
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
  Bytes(const std::vector<std::byte>& bytes) noexcept
      : Bytes(std::span<const std::byte>(bytes)) {}

  constexpr std::size_t size() const noexcept { return text_.size(); }
  constexpr bool empty() const noexcept { return text_.empty(); }
  constexpr std::string_view text() const noexcept { return text_; }
  std::span<const std::byte> span() const noexcept {
    return {reinterpret_cast<const std::byte*>(text_.data()), text_.size()};
  }

 private:
  std::string_view text_;
};

/// One header of a record: a name and a value, both any bytes, each at most 65,535 long.
struct Header {
  Bytes key;
  Bytes value;
};

/// The headers of a record to publish: `{{"trace", id}, {"kind", "fill"}}` or a span. A view: valid
/// for the call it is given to.
class Headers {
 public:
  constexpr Headers() noexcept = default;
  Headers(std::initializer_list<Header> headers) noexcept
      : headers_(headers.begin(), headers.size()) {}
  Headers(std::span<const Header> headers) noexcept : headers_(headers) {}
  Headers(const std::vector<Header>& headers) noexcept : headers_(headers) {}

  auto begin() const noexcept { return headers_.begin(); }
  auto end() const noexcept { return headers_.end(); }
  std::size_t size() const noexcept { return headers_.size(); }

 private:
  std::span<const Header> headers_;
};

}  // namespace ringway
