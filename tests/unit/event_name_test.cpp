#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "daemon/event_name.hpp"
#include "daemon/metrics/event_counts.hpp"

namespace event_name_test {

using namespace ringway::daemon;

// What EventName's constructor, which runs in the compiler only, lets pass.
static_assert(is_event("serving") && is_event("client_died"));
static_assert(!is_event("no_such_event") && !is_event(""));

TEST_CASE("events: the manual has each of them, once, and no other", "[daemon]") {
  std::ifstream file(RINGWAY_SOURCE_DIR "/daemon/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string manual = text.str();
  const std::size_t begin = manual.find("\n### Events\n");
  REQUIRE(begin != manual.npos);
  std::istringstream rows(manual.substr(begin, manual.find("\n## ", begin) - begin));
  std::multiset<std::string, std::less<>> told;
  const std::regex name("`([a-z_]+)`");
  for (std::string row; std::getline(rows, row);) {
    if (!row.starts_with("| `")) continue;
    const std::string names = row.substr(0, row.find(" | "));
    for (std::sregex_iterator at(names.begin(), names.end(), name), end; at != end; ++at) {
      told.insert((*at)[1]);
    }
  }
  std::multiset<std::string, std::less<>> there(kEvents.begin(), kEvents.end());
  there.insert(kDebugEvents.begin(), kDebugEvents.end());
  CHECK(told == there);
}

TEST_CASE("events: each is counted from the beginning, but for those of level debug", "[daemon]") {
  metrics::EventCounts counts;
  CHECK(counts.counts().events.size() == kEvents.size());
  CHECK(std::ranges::all_of(kEvents, [&](std::string_view name) {
    const auto there = counts.counts().events;
    const auto found = there.find(name);
    return found != there.end() && found->second == 0;
  }));
  const EventLog log([&](const Event& event) { counts.count(event); });
  log.error("config_refused");
  CHECK(counts.counts().events.at("config_refused") == 1);
}

}  // namespace event_name_test
