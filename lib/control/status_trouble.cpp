#include "control/status_trouble.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "control/wire.hpp"

namespace ringway::control {
namespace {

std::string text_at(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::uint32_t> number_of(const nlohmann::json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (!value.is_number_unsigned() && value.get<std::int64_t>() < 0) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  if (number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

std::uint32_t number_at(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  return found == json.end() ? 0 : number_of(*found).value_or(0);
}

StatusTrouble trouble_from_json(const nlohmann::json& json) {
  if (!json.is_object()) {
    return {.text = json.is_string() ? json.get<std::string>() : text_of(json)};
  }
  StatusTrouble trouble{.what = trouble_kind_of(text_at(json, "what")),
                        .topic = text_at(json, "topic"),
                        .partition_count = number_at(json, "partition_count"),
                        .pid = number_at(json, "pid"),
                        .path = text_at(json, "path"),
                        .reason = text_at(json, "reason"),
                        .text = text_at(json, "text")};
  if (const auto found = json.find("partitions"); found != json.end() && found->is_array()) {
    for (const auto& entry : *found) {
      if (const auto partition = number_of(entry)) trouble.partitions.push_back(*partition);
    }
  }
  if (trouble.text.empty()) trouble.text = text_of(json);
  return trouble;
}

}  // namespace

std::string_view to_string(TroubleKind kind) noexcept {
  switch (kind) {
    case TroubleKind::unknown:
      return "unknown";
    case TroubleKind::topic_not_served:
      return "topic_not_served";
    case TroubleKind::topic_deletion_waits:
      return "topic_deletion_waits";
    case TroubleKind::ring_replacement_waits:
      return "ring_replacement_waits";
    case TroubleKind::segment_damaged:
      return "segment_damaged";
    case TroubleKind::segment_missing:
      return "segment_missing";
    case TroubleKind::segment_not_removed:
      return "segment_not_removed";
    case TroubleKind::log_without_topic:
      return "log_without_topic";
    case TroubleKind::disk_short:
      return "disk_short";
    case TroubleKind::retention_held:
      return "retention_held";
    case TroubleKind::housekeeping_failed:
      return "housekeeping_failed";
    case TroubleKind::keeper_not_replaced:
      return "keeper_not_replaced";
    case TroubleKind::keeper_stands_still:
      return "keeper_stands_still";
    case TroubleKind::metrics_not_served:
      return "metrics_not_served";
    case TroubleKind::disk_full:
      return "disk_full";
    case TroubleKind::disk_error:
      return "disk_error";
    case TroubleKind::pinned:
      return "pinned";
    case TroubleKind::stopped_claim:
      return "stopped_claim";
    case TroubleKind::slow_consumer:
      return "slow_consumer";
    case TroubleKind::stopping:
      return "stopping";
    case TroubleKind::quarantined:
      return "quarantined";
    case TroubleKind::memory_only:
      return "memory_only";
  }
  return "unknown";
}

TroubleKind trouble_kind_of(std::string_view name) noexcept {
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastTroubleKind); ++i) {
    const auto kind = static_cast<TroubleKind>(i);
    if (name == to_string(kind)) return kind;
  }
  return TroubleKind::unknown;
}

std::uint64_t TroubleCounts::all() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

nlohmann::json to_json(const StatusTrouble& trouble) {
  nlohmann::json json{{"what", to_string(trouble.what)}, {"text", trouble.text}};
  if (!trouble.topic.empty()) json["topic"] = trouble.topic;
  if (!trouble.partitions.empty()) {
    std::vector<std::uint32_t> told = trouble.partitions;
    told.resize(std::min(told.size(), StatusTrouble::kPartitionsTold));
    json["partitions"] = std::move(told);
    json["partition_count"] = trouble.partition_count;
  }
  if (trouble.pid != 0) json["pid"] = trouble.pid;
  if (!trouble.path.empty()) json["path"] = trouble.path;
  if (!trouble.reason.empty()) json["reason"] = trouble.reason;
  return json;
}

std::vector<StatusTrouble> troubles_in(const nlohmann::json& report) {
  std::vector<StatusTrouble> troubles;
  if (!report.is_object()) return troubles;
  const auto kinds = report.find("troubles");
  const auto list = kinds != report.end() && kinds->is_array() ? kinds : report.find("degraded");
  if (list == report.end() || !list->is_array()) return troubles;
  for (const auto& entry : *list) troubles.push_back(trouble_from_json(entry));
  return troubles;
}

}  // namespace ringway::control
