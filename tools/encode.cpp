#include "tools/encode.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace ringway::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What JSON does with a byte: 0 copies it, 'u' writes \u00NN, 1 starts a UTF-8 sequence, and the
/// rest is the letter behind the backslash.
constexpr std::array<char, 256> kJsonClass = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  for (std::size_t c = 0x80; c < 0x100; ++c) table[c] = 1;
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

/// Whether any of eight bytes needs a closer look: below 0x20, '"', '\\', or not ASCII.
bool any_special(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kTops = 0x8080808080808080;
  const auto zero_byte = [](std::uint64_t word) { return (word - kOnes) & ~word; };
  const std::uint64_t quote = zero_byte(bytes ^ (kOnes * '"'));
  const std::uint64_t backslash = zero_byte(bytes ^ (kOnes * '\\'));
  const std::uint64_t control = (bytes - kOnes * 0x20) & ~bytes;
  return ((quote | backslash | control | bytes) & kTops) != 0;
}

/// Length of the UTF-8 sequence at `at`, which starts with a byte of 0x80 or more; 0 if it is none.
std::size_t sequence_bytes(const unsigned char* at, std::size_t left) noexcept {
  const unsigned char lead = at[0];
  // The second byte's bounds rule out overlong forms, surrogates and what is beyond U+10FFFF.
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  std::size_t bytes = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    bytes = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    bytes = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    bytes = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (left < bytes || at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < bytes; ++i) {
    if (at[i] < 0x80 || at[i] > 0xbf) return 0;
  }
  return bytes;
}

void append_escaped(std::string& out, unsigned char byte, char letter) {
  out.push_back('\\');
  out.push_back(letter);
  if (letter != 'u') return;
  out.append("00", 2);
  out.push_back(kHexDigits[byte >> 4]);
  out.push_back(kHexDigits[byte & 15]);
}

}  // namespace

void append_hex(std::string& out, std::string_view bytes) {
  const std::size_t start = out.size();
  out.resize(start + bytes.size() * 2);
  char* to = out.data() + start;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *to++ = kHexDigits[byte >> 4];
    *to++ = kHexDigits[byte & 15];
  }
}

void append_base64(std::string& out, std::string_view bytes, Padding padding) {
  const std::size_t start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + start;
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *to++ = kBase64[group >> shift & 63];
  }
  const std::size_t surplus = (3 - bytes.size() % 3) % 3;
  if (padding == Padding::none) {
    out.resize(out.size() - surplus);
  } else {
    std::memset(out.data() + out.size() - surplus, '=', surplus);
  }
}

void append_json_bytes(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  out.push_back('"');
  std::size_t copied = 0;  // what lies before is in `out`; from here to `at` can be copied as it is
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight;
    if (text.size() - at >= sizeof(eight)) {
      std::memcpy(&eight, bytes + at, sizeof(eight));
      if (!any_special(eight)) {
        at += sizeof(eight);
        continue;
      }
    }
    const char kind = kJsonClass[bytes[at]];
    if (kind == 0) {
      ++at;
    } else if (kind == 1) {
      const std::size_t sequence = sequence_bytes(bytes + at, text.size() - at);
      if (sequence == 0) {
        out.resize(start);
        out.append("{\"base64\":\"");
        append_base64(out, text, Padding::equals);
        out.append("\"}");
        return;
      }
      at += sequence;
    } else {
      out.append(text, copied, at - copied);
      append_escaped(out, bytes[at], kind);
      copied = ++at;
    }
  }
  out.append(text, copied, text.size() - copied);
  out.push_back('"');
}

}  // namespace ringway::cli
