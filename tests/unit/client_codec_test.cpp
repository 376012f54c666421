#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "client/header_codec.hpp"
#include "client/partitioner.hpp"
#include "client/record_shape.hpp"
#include "ringway/record.hpp"

namespace ringway::client_codec_test {
namespace {

std::string encoded(const Headers& headers) {
  std::string bytes(encoded_bytes(headers).value(), '\0');
  encode(headers, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

std::vector<std::pair<std::string, std::string>> decoded(std::string_view bytes) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const Header& header : HeaderRange(bytes)) {
    headers.emplace_back(header.key.text(), header.value.text());
  }
  return headers;
}

}  // namespace

TEST_CASE("headers: come back as they went in, empty ones too", "[client]") {
  const std::string bytes = encoded({{"trace", "42"}, {"", ""}, {"k", std::string(300, 'v')}});
  REQUIRE(bytes.size() == 4 + 7 + 4 + 4 + 301);
  const auto headers = decoded(bytes);
  REQUIRE(headers.size() == 3);
  CHECK(headers[0] == std::pair<std::string, std::string>("trace", "42"));
  CHECK(headers[1] == std::pair<std::string, std::string>("", ""));
  CHECK(headers[2].second == std::string(300, 'v'));
  CHECK(HeaderRange().empty());
}

TEST_CASE("headers: bytes that do not parse end the range", "[client]") {
  const std::string bytes = encoded({{"a", "1"}, {"b", "2"}});
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    CHECK(decoded(std::string_view(bytes).substr(0, cut)).size() == cut / 6);
  }
}

TEST_CASE("headers: what is longer than the format allows is refused", "[client]") {
  const std::string long_value(65'531, 'x');
  CHECK(encoded_bytes({{"", long_value}}) == 65'535);
  CHECK_FALSE(encoded_bytes({{"x", long_value}}));
  CHECK_FALSE(encoded_bytes({{"", std::string(70'000, 'x')}}));
}

TEST_CASE("partition_of: has the documented vectors", "[client]") {
  CHECK(partition_of("", 4) == 2);
  CHECK(partition_of("a", 4) == 3);
  CHECK(partition_of("order-1", 4) == 2);
  CHECK(partition_of("order-2", 4) == 0);
  CHECK(partition_of("anything", 1) == 0);
}

TEST_CASE("keyless records: stay on a partition for a batch of bytes, then go round", "[client]") {
  KeylessTurn turn(3, 5, 100);
  std::vector<std::uint32_t> seen;
  for (int i = 0; i < 8; ++i) {
    seen.push_back(turn.partition());
    turn.took(50);
  }
  CHECK(seen == std::vector<std::uint32_t>{2, 2, 0, 0, 1, 1, 2, 2});
}

TEST_CASE("record: an empty key is not no key, and sizes beyond the format do not fit",
          "[client]") {
  CHECK_FALSE(RecordShape(10, {}).has_key);
  CHECK(RecordShape(10, {.key = ""}).has_key);
  CHECK(RecordShape(10, {.key = ""}).bytes() == 64);
  const std::string key(65'536, 'k');
  CHECK_FALSE(RecordShape(10, {.key = Bytes(key)}).fits);
  CHECK(RecordShape(10, {.key = Bytes(std::string_view(key).substr(1))}).fits);
  CHECK_FALSE(RecordShape(std::size_t{1} << 32, {}).fits);
}

}  // namespace ringway::client_codec_test
