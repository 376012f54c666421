#include "client/header_codec.hpp"

#include <cstring>

#include "layout/record.hpp"
#include "ringway/record.hpp"

namespace ringway {
namespace {

constexpr std::size_t kPrefixBytes = 2 * sizeof(std::uint16_t);
constexpr std::size_t kPartBytesMax = 65'535;

std::byte* append(std::byte* to, const void* from, std::size_t bytes) noexcept {
  if (bytes != 0) std::memcpy(to, from, bytes);
  return to + bytes;
}

}  // namespace

std::optional<std::uint16_t> encoded_bytes(const Headers& headers) noexcept {
  std::size_t bytes = 0;
  for (const Header& header : headers) {
    if (header.key.size() > kPartBytesMax || header.value.size() > kPartBytesMax) return {};
    bytes += kPrefixBytes + header.key.size() + header.value.size();
    if (bytes > layout::kHeadersBytesMax) return {};
  }
  return static_cast<std::uint16_t>(bytes);
}

void encode(const Headers& headers, std::byte* to) noexcept {
  for (const Header& header : headers) {
    const std::uint16_t sizes[2] = {static_cast<std::uint16_t>(header.key.size()),
                                    static_cast<std::uint16_t>(header.value.size())};
    to = append(to, sizes, sizeof sizes);
    to = append(to, header.key.text().data(), header.key.size());
    to = append(to, header.value.text().data(), header.value.size());
  }
}

void HeaderRange::iterator::decode() noexcept {
  std::uint16_t sizes[2];
  if (rest_.size() < kPrefixBytes) {
    rest_.remove_prefix(rest_.size());
    return;
  }
  std::memcpy(sizes, rest_.data(), sizeof sizes);
  taken_ = kPrefixBytes + sizes[0] + sizes[1];
  if (rest_.size() < taken_) {
    rest_.remove_prefix(rest_.size());
    return;
  }
  header_.key = rest_.substr(kPrefixBytes, sizes[0]);
  header_.value = rest_.substr(kPrefixBytes + sizes[0], sizes[1]);
}

HeaderRange::iterator& HeaderRange::iterator::operator++() noexcept {
  rest_.remove_prefix(taken_);
  decode();
  return *this;
}

}  // namespace ringway
