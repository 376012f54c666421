// What decides in the storm whether a record is as it was made: no byte of one may differ
// unnoticed.

#include "storm/content.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "client/header_codec.hpp"

namespace ringway::storm {
namespace {

using Body = std::vector<std::byte>;

/// Each byte in turn: every one of its bits alone, and all of them.
template <class Look>
void flip_each(std::span<std::byte> bytes, Look look) {
  for (std::byte& byte : bytes) {
    for (const unsigned bits : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      byte ^= std::byte(bits);
      INFO("byte " << &byte - bytes.data() << ", bits " << bits);
      look();
      byte ^= std::byte(bits);
    }
  }
}

Body filled(std::size_t bytes, const Content& content) {
  Body body(bytes);
  fill(body, content);
  return body;
}

/// A record's payload, key and headers, as they lie one behind the other.
struct Made {
  explicit Made(const Content& content, std::size_t bytes = 100)
      : key(content.key != 0 ? key_text(content.key) : ""),
        has_key(content.key != 0),
        partition(content.partition),
        payload_bytes(bytes),
        body(filled(bytes, content)) {
    for (const char byte : key) body.push_back(std::byte(byte));
    const std::array<Header, 1> headers{{{"key", key}}};
    const Headers view = std::span(headers).first(content.headers);
    headers_bytes = encoded_bytes(view).value();
    body.resize(body.size() + headers_bytes);
    encode(view, body.data() + body.size() - headers_bytes);
  }

  const char* wrong() const {
    const RecordView record(body.data(), static_cast<std::uint32_t>(payload_bytes),
                            static_cast<std::uint16_t>(key.size()), headers_bytes, has_key, 0, 0, 0,
                            partition);
    return judged(record).wrong;
  }

  std::string key;
  bool has_key;
  std::uint32_t partition;
  std::size_t payload_bytes;
  std::uint16_t headers_bytes = 0;
  Body body;
};

TEST_CASE("content: what was filled in is read again", "[storm]") {
  const Content content{3, 2, 0x1234567890, 5, 1};
  for (std::size_t bytes = kContentBytesMin; bytes < 200; ++bytes) {
    CHECK(verified(filled(bytes, content)) == content);
  }
}

TEST_CASE("content: a byte that differs anywhere is noticed", "[storm]") {
  for (const Content& content : {Content{}, Content{3, 2, 0x1234567890, 5, 1}}) {
    for (std::size_t bytes = kContentBytesMin; bytes < kContentBytesMin + 20; ++bytes) {
      Body body = filled(bytes, content);
      flip_each(body, [&] { REQUIRE_FALSE(verified(body)); });
      REQUIRE(verified(body) == content);
    }
  }
}

TEST_CASE("content: bytes that are missing, or too many, are noticed", "[storm]") {
  Body body = filled(200, {3, 2, 1, 0, 0});
  for (std::size_t bytes = 0; bytes < body.size(); ++bytes) {
    REQUIRE_FALSE(verified(std::span(body).first(bytes)));
  }
  body.push_back(std::byte{0});
  REQUIRE_FALSE(verified(body));
}

TEST_CASE("content: a record that becomes another behind its head is noticed", "[storm]") {
  const Body one = filled(200, {3, 2, 1, 0, 0});
  const Body other = filled(200, {3, 2, 2, 0, 0});
  for (std::size_t at = kContentBytesMin; at < one.size() - 8; ++at) {
    Body torn = one;
    std::ranges::copy(std::span(other).subspan(at), torn.begin() + static_cast<std::ptrdiff_t>(at));
    REQUIRE_FALSE(verified(torn));
  }
}

TEST_CASE("record: a byte of payload, key or headers that differs is noticed", "[storm]") {
  for (const Content& content :
       {Content{3, 2, 1, 0, 0}, Content{3, 2, 1, 5, 0}, Content{3, 2, 1, 64, 1}}) {
    Made record(content);
    REQUIRE(record.wrong() == nullptr);
    flip_each(record.body, [&] { REQUIRE(record.wrong() != nullptr); });
  }
}

TEST_CASE("record: another partition, no key, another key and no headers are noticed", "[storm]") {
  const Content content{3, 2, 1, 5, 1};
  const auto wrong = [&](auto change) {
    Made record(content);
    change(record);
    return std::string_view(record.wrong());
  };
  CHECK(wrong([](Made& record) { record.partition = 3; }) == "partition");
  CHECK(wrong([](Made& record) { record.has_key = false; }) == "key");
  CHECK(wrong([](Made& record) { record.key.pop_back(); }) == "key");
  CHECK(wrong([](Made& record) { record.headers_bytes = 0; }) == "header");
}

TEST_CASE("record: a key that none was published with is noticed", "[storm]") {
  Made record({3, 2, 1, 0, 0});
  record.has_key = true;
  CHECK(std::string_view(record.wrong()) == "key");
}

}  // namespace
}  // namespace ringway::storm
