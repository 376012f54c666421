#include <algorithm>
#include <array>

#include "control/fields.hpp"
#include "control/messages.hpp"
#include "control/wire.hpp"

namespace ringway::control {
namespace {

constexpr std::array kModes = {std::pair{layout::TopicMode::persisted, "persisted"},
                               std::pair{layout::TopicMode::memory_block, "memory_block"},
                               std::pair{layout::TopicMode::memory_overwrite, "memory_overwrite"}};

constexpr std::array kCodes = {std::pair{ErrorCode::failed, "failed"},
                               std::pair{ErrorCode::usage, "usage"},
                               std::pair{ErrorCode::not_found, "not_found"},
                               std::pair{ErrorCode::denied, "denied"},
                               std::pair{ErrorCode::timeout, "timeout"},
                               std::pair{ErrorCode::exists, "exists"},
                               std::pair{ErrorCode::limit, "limit"},
                               std::pair{ErrorCode::unavailable, "unavailable"},
                               std::pair{ErrorCode::incompatible, "incompatible"},
                               std::pair{ErrorCode::busy, "busy"}};

nlohmann::json offsets_json(const std::vector<std::optional<std::uint64_t>>& offsets) {
  auto json = nlohmann::json::array();
  for (const auto& offset : offsets) {
    json.push_back(offset ? nlohmann::json(*offset) : nlohmann::json());
  }
  return json;
}

std::vector<std::optional<std::uint64_t>> offsets(const Fields& fields, const char* name) {
  std::vector<std::optional<std::uint64_t>> offsets;
  for (const auto& entry : fields.array(name)) {
    if (!entry.is_null() && !entry.is_number_unsigned()) {
      throw fields.wrong(name, "must be an array of offsets and nulls");
    }
    offsets.push_back(entry.is_null() ? std::nullopt : std::optional(entry.get<std::uint64_t>()));
  }
  return offsets;
}

void write(nlohmann::json&, const Done&) {}
void read(const Fields&, Done&) {}

void write(nlohmann::json& json, const Welcome& welcome) {
  json["protocol"] = kProtocolVersion;
  json["session"] = welcome.session;
  json["bus"] = shm::to_string(welcome.bus);
  json["supervisor_epoch"] = welcome.supervisor_epoch;
  json["resumed"] = welcome.resumed;
}
void read(const Fields& fields, Welcome& welcome) {
  welcome.session = fields.number<std::uint64_t>("session");
  welcome.bus = uuid(fields, "bus");
  welcome.supervisor_epoch = fields.number<std::uint64_t>("supervisor_epoch");
  welcome.resumed = fields.flag("resumed");
}

void write(nlohmann::json& json, const TopicCreated& created) {
  json["uuid"] = shm::to_string(created.uuid);
}
void read(const Fields& fields, TopicCreated& created) {
  created.uuid = uuid(fields, "uuid");
}

void write(nlohmann::json& json, const TopicList& list) {
  auto& topics = json["topics"] = nlohmann::json::array();
  for (const TopicListing& topic : list.topics) {
    const auto* mode = std::ranges::find(kModes, topic.mode, [](auto& pair) { return pair.first; });
    topics.push_back({{"name", topic.name},
                      {"uuid", shm::to_string(topic.uuid)},
                      {"partitions", topic.partitions},
                      {"mode", mode == kModes.end() ? "unknown" : mode->second}});
  }
  json["more"] = list.more;
}
void read(const Fields& fields, TopicList& list) {
  for (const auto& entry : fields.array("topics")) {
    const Fields topic(entry, "topic list");
    const std::string mode_text = topic.text("mode", 64);
    const auto* mode =
        std::ranges::find_if(kModes, [&](auto& pair) { return mode_text == pair.second; });
    if (mode == kModes.end()) throw topic.wrong("mode", "is unknown to this version");
    list.topics.push_back({topic.text("name"), uuid(topic, "uuid"),
                           topic.number<std::uint32_t>("partitions"), mode->first});
  }
  list.more = fields.flag("more");
}

void write(nlohmann::json& json, const TopicDescription& description) {
  json["uuid"] = shm::to_string(description.uuid);
  json["settings"] = to_json(description.settings);
  json["details"] = description.details;
}
void read(const Fields& fields, TopicDescription& description) {
  description.uuid = uuid(fields, "uuid");
  description.settings = topic_settings_from_json(fields.any("settings"));
  description.details = fields.any("details");
}

void write(nlohmann::json& json, const StatusReport& status) {
  json["report"] = status.report;
}
void read(const Fields& fields, StatusReport& status) {
  status.report = fields.any("report");
}

void write(nlohmann::json& json, const Opened& opened) {
  json["handle"] = opened.handle;
  json["topic"] = shm::to_string(opened.topic);
  json["generation"] = opened.generation;
  json["partitions"] = opened.partitions;
  json["chunk"] = opened.chunk;
  json["first_slot"] = opened.first_slot;
  json["slots"] = opened.slots;
  json["producer"] = opened.producer;
  if (opened.attachment) json["attachment"] = *opened.attachment;
  if (!opened.cursor_offsets.empty()) {
    json["cursor_offsets"] = offsets_json(opened.cursor_offsets);
  }
  json["settings"] = to_json(opened.settings);
  json["memory"] = opened.memory;
  json["new_chunk"] = opened.new_chunk;
  if (opened.exclusive) json["exclusive"] = true;
  if (!opened.log_directory.empty()) json["log_directory"] = opened.log_directory;
}
void read(const Fields& fields, Opened& opened) {
  opened.handle = fields.number<std::uint64_t>("handle");
  opened.topic = uuid(fields, "topic");
  opened.generation = fields.number<std::uint64_t>("generation", 1);
  opened.partitions = fields.number<std::uint32_t>("partitions", 1, layout::kPartitionsMax);
  opened.chunk = fields.number<std::uint32_t>("chunk");
  opened.slots = fields.number<std::uint32_t>("slots", opened.partitions);
  opened.first_slot =
      fields.number<std::uint32_t>("first_slot", 0, opened.slots - opened.partitions);
  opened.producer = fields.number<std::uint32_t>("producer");
  if (fields.has("attachment")) opened.attachment = fields.number<std::uint32_t>("attachment");
  if (fields.has("cursor_offsets")) opened.cursor_offsets = offsets(fields, "cursor_offsets");
  if (!opened.cursor_offsets.empty() && opened.cursor_offsets.size() != opened.partitions) {
    throw fields.wrong("cursor_offsets", "must have one entry per partition");
  }
  opened.settings = topic_settings_from_json(fields.any("settings"));
  opened.memory = fields.flag("memory");
  opened.new_chunk = fields.flag("new_chunk");
  if (fields.has("exclusive")) opened.exclusive = fields.flag("exclusive");
  if (fields.has("log_directory")) opened.log_directory = fields.text("log_directory");
}

void write(nlohmann::json& json, const SegmentFound& segment) {
  json["in_ring"] = segment.in_ring;
  if (segment.missing_to_offset) json["missing_to_offset"] = *segment.missing_to_offset;
  if (segment.missing_to_position) json["missing_to_position"] = *segment.missing_to_position;
  if (segment.lost_from_offset) json["lost_from_offset"] = *segment.lost_from_offset;
  if (segment.in_ring) return;
  json["base_offset"] = segment.base_offset;
  json["base_position"] = segment.base_position;
  json["end_offset"] = segment.end_offset;
  json["end_position"] = segment.end_position;
  json["sealed"] = segment.sealed;
}
void read(const Fields& fields, SegmentFound& segment) {
  segment.in_ring = fields.flag("in_ring");
  segment.missing_to_offset = optional_number(fields, "missing_to_offset");
  segment.missing_to_position = optional_number(fields, "missing_to_position");
  segment.lost_from_offset = optional_number(fields, "lost_from_offset");
  if (segment.in_ring) return;
  segment.base_offset = fields.number<std::uint64_t>("base_offset");
  segment.base_position = fields.number<std::uint64_t>("base_position");
  segment.end_offset = fields.number<std::uint64_t>("end_offset", segment.base_offset);
  segment.end_position = fields.number<std::uint64_t>("end_position", segment.base_position);
  segment.sealed = fields.flag("sealed");
}

void write(nlohmann::json& json, const CursorList& list) {
  auto& cursors = json["cursors"] = nlohmann::json::array();
  for (const CursorListing& cursor : list.cursors) {
    cursors.push_back({{"name", cursor.name},
                       {"offsets", offsets_json(cursor.offsets)},
                       {"protects", cursor.protects},
                       {"holder_pid", cursor.holder_pid}});
  }
  json["more"] = list.more;
}
void read(const Fields& fields, CursorList& list) {
  for (const auto& entry : fields.array("cursors")) {
    const Fields cursor(entry, "cursor list");
    list.cursors.push_back({cursor.text("name"), offsets(cursor, "offsets"),
                            cursor.flag("protects"), cursor.number<std::uint32_t>("holder_pid")});
  }
  list.more = fields.flag("more");
}

void write(nlohmann::json& json, const TopicTrimmed& trimmed) {
  auto& partitions = json["partitions"] = nlohmann::json::array();
  for (const TrimmedPartition& one : trimmed.partitions) {
    partitions.push_back({{"partition", one.partition},
                          {"segments", one.segments},
                          {"bytes", one.bytes},
                          {"first_offset", one.first_offset},
                          {"kept_by", one.kept_by},
                          {"cursor", one.cursor}});
  }
  if (trimmed.next) json["next"] = *trimmed.next;
}
void read(const Fields& fields, TopicTrimmed& trimmed) {
  for (const auto& entry : fields.array("partitions")) {
    const Fields one(entry, "trimmed partition");
    trimmed.partitions.push_back({.partition = one.number<std::uint32_t>("partition"),
                                  .segments = one.number<std::uint64_t>("segments"),
                                  .bytes = one.number<std::uint64_t>("bytes"),
                                  .first_offset = one.number<std::uint64_t>("first_offset"),
                                  .kept_by = one.text("kept_by"),
                                  .cursor = one.text("cursor")});
  }
  if (fields.has("next")) {
    trimmed.next = fields.number<std::uint32_t>("next", 0, layout::kPartitionsMax - 1);
  }
}

void write(nlohmann::json& json, const AccessReport& report) {
  auto& entries = json["entries"] = nlohmann::json::array();
  for (const AccessEntry& entry : report.entries) {
    entries.push_back(
        {{"account", entry.account}, {"right", entry.right}, {"source", entry.source}});
  }
}
void read(const Fields& fields, AccessReport& report) {
  for (const auto& each : fields.array("entries")) {
    const Fields entry(each, "access entry");
    report.entries.push_back({entry.text("account"), entry.text("right"), entry.text("source")});
  }
}

[[noreturn]] void throw_refusal(const Fields& error) {
  const std::string code_text = error.text("code", 64);
  const auto* code =
      std::ranges::find_if(kCodes, [&](auto& pair) { return code_text == pair.second; });
  // A newer supervisor's code: what it says still matters.
  throw Error(code == kCodes.end() ? ErrorCode::failed : code->first, error.text("thing"),
              error.text("rule"), error.text("fix"));
}

}  // namespace

std::string encode(std::uint64_t id, const Reply& reply) {
  return std::visit(
      [&](const auto& alternative) {
        nlohmann::json json{{"id", id}};
        write(json, alternative);
        return text_of(json);
      },
      reply);
}

std::string encode(std::uint64_t id, const Error& refusal) {
  const auto* code =
      std::ranges::find(kCodes, refusal.code(), [](auto& pair) { return pair.first; });
  return text_of({{"id", id},
                  {"error",
                   {{"code", code == kCodes.end() ? "failed" : code->second},
                    {"thing", refusal.thing()},
                    {"rule", refusal.rule()},
                    {"fix", refusal.fix()}}}});
}

template <class R>
R decode_reply(const Envelope& envelope) {
  const Fields fields(envelope.body, "reply");
  if (fields.has("error")) throw_refusal(fields.object("error"));
  R reply;
  read(fields, reply);
  return reply;
}

template Done decode_reply<Done>(const Envelope&);
template Welcome decode_reply<Welcome>(const Envelope&);
template TopicCreated decode_reply<TopicCreated>(const Envelope&);
template TopicList decode_reply<TopicList>(const Envelope&);
template TopicDescription decode_reply<TopicDescription>(const Envelope&);
template StatusReport decode_reply<StatusReport>(const Envelope&);
template Opened decode_reply<Opened>(const Envelope&);
template SegmentFound decode_reply<SegmentFound>(const Envelope&);
template CursorList decode_reply<CursorList>(const Envelope&);
template TopicTrimmed decode_reply<TopicTrimmed>(const Envelope&);
template AccessReport decode_reply<AccessReport>(const Envelope&);

}  // namespace ringway::control
