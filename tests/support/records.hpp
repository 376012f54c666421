#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ringway/consumer.hpp"
#include "ringway/producer.hpp"

namespace ringway::test {

inline void publish(Producer& producer, std::string_view payload) {
  REQUIRE(to_string(producer.publish(payload).status) == "ok");
}

/// The next `count` values, however many polls that takes.
inline std::vector<std::string> take(Consumer& consumer, std::size_t count,
                                     std::size_t at_once = 256) {
  std::vector<std::string> values;
  while (values.size() < count) {
    const std::size_t most = std::min(at_once, count - values.size());
    for (const RecordView& record : consumer.poll(most, std::chrono::seconds(1))) {
      values.emplace_back(record.value());
    }
  }
  return values;
}

}  // namespace ringway::test
