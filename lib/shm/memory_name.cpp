#include "shm/memory_name.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace ringway::shm {
namespace {

constexpr std::string_view kPrefix = "ringway.";
constexpr std::array kKinds = {MemoryKind::ring, MemoryKind::board, MemoryKind::bell,
                               MemoryKind::session};

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string_view to_string(MemoryKind kind) noexcept {
  switch (kind) {
    case MemoryKind::ring:
      return "ring";
    case MemoryKind::board:
      return "board";
    case MemoryKind::bell:
      return "bell";
    case MemoryKind::session:
      return "session";
  }
  return "unknown";
}

MemoryName MemoryName::of_topic(MemoryKind kind, const Uuid& topic, std::uint64_t generation) {
  return {.kind = kind, .topic = topic, .session = 0, .number = generation};
}

MemoryName MemoryName::of_session(std::uint64_t session, std::uint32_t chunk) {
  return {.kind = MemoryKind::session, .topic = {}, .session = session, .number = chunk};
}

std::string to_string(const MemoryName& name) {
  if (name.kind == MemoryKind::session) {
    return fmt::format("{}session.{}.{}", kPrefix, name.session, name.number);
  }
  return fmt::format("{}{}.{}.{}", kPrefix, to_string(name.kind), to_string(name.topic),
                     name.number);
}

std::optional<MemoryName> parse_memory_name(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  const auto first = text.find('.', kPrefix.size());
  const auto second = text.find('.', first == text.npos ? first : first + 1);
  if (second == text.npos) return std::nullopt;
  const auto kind_text = text.substr(kPrefix.size(), first - kPrefix.size());
  const auto whose = text.substr(first + 1, second - first - 1);
  const auto number = parse_number(text.substr(second + 1));
  for (const MemoryKind kind : kKinds) {
    if (kind_text != to_string(kind) || !number) continue;
    MemoryName name{.kind = kind, .number = *number};
    if (kind == MemoryKind::session) {
      const auto session = parse_number(whose);
      if (!session) return std::nullopt;
      name.session = *session;
    } else {
      const auto topic = parse_uuid(whose);
      if (!topic) return std::nullopt;
      name.topic = *topic;
    }
    if (to_string(name) != text) return std::nullopt;  // "007", upper case
    return name;
  }
  return std::nullopt;
}

}  // namespace ringway::shm
