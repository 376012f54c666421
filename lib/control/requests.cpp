#include <fmt/format.h>

#include "control/fields.hpp"
#include "control/messages.hpp"
#include "control/utf8.hpp"
#include "control/wire.hpp"

namespace ringway::control {
namespace {

constexpr std::size_t kNameBytesMax = 1024;  // the name's own rule says more
constexpr std::size_t kVersionBytesMax = 64;

void write(nlohmann::json& json, const Hello& hello) {
  json["protocol"] = hello.protocol;
  json["client"] = hello.client;
  if (hello.membarrier) json["membarrier"] = true;
  if (hello.session) json["session"] = *hello.session;
  if (hello.last_handle) json["last_handle"] = *hello.last_handle;
  if (!hello.version.empty()) json["version"] = hello.version;
}
void read(const Fields& fields, Hello& hello) {
  hello.protocol = fields.number<std::uint32_t>("protocol");
  hello.client = fields.text("client", kNameBytesMax);
  if (fields.has("membarrier")) hello.membarrier = fields.flag("membarrier");
  hello.session = optional_number(fields, "session");
  hello.last_handle = optional_number(fields, "last_handle");
  if (fields.has("version")) hello.version = fields.text("version", kVersionBytesMax);
}

void write(nlohmann::json& json, const CreateTopic& create) {
  json["name"] = create.name;
  json["settings"] = to_json(create.settings);
}
void read(const Fields& fields, CreateTopic& create) {
  create.name = fields.text("name", kNameBytesMax);
  create.settings = topic_choices_from_json(fields.any("settings"));
}

void write(nlohmann::json& json, const AlterTopic& alter) {
  json["name"] = alter.name;
  json["settings"] = to_json(alter.settings);
}
void read(const Fields& fields, AlterTopic& alter) {
  alter.name = fields.text("name", kNameBytesMax);
  alter.settings = topic_choices_from_json(fields.any("settings"));
}

void write(nlohmann::json& json, const DeleteTopic& remove) {
  json["name"] = remove.name;
}
void read(const Fields& fields, DeleteTopic& remove) {
  remove.name = fields.text("name", kNameBytesMax);
}

void write(nlohmann::json& json, const ListTopics& list) {
  if (!list.after.empty()) json["after"] = list.after;
  json["max"] = list.max;
}
void read(const Fields& fields, ListTopics& list) {
  if (fields.has("after")) list.after = fields.text("after", kNameBytesMax);
  list.max = fields.number<std::uint32_t>("max", 1, 1000);
}

void write(nlohmann::json& json, const DescribeTopic& describe) {
  json["name"] = describe.name;
}
void read(const Fields& fields, DescribeTopic& describe) {
  describe.name = fields.text("name", kNameBytesMax);
}

void write(nlohmann::json&, const GetStatus&) {}
void read(const Fields&, GetStatus&) {}

void write(nlohmann::json& json, const Open& open) {
  json["topic"] = open.topic;
  json["role"] = open.role == layout::Role::producer ? "producer" : "consumer";
  if (open.cursor) json["cursor"] = *open.cursor;
  if (open.protects) json["protects"] = *open.protects;
  if (open.mapped_generation) json["mapped_generation"] = *open.mapped_generation;
  if (open.moved) json["moved"] = *open.moved;
  if (open.exclusive) json["exclusive"] = true;
}
void read(const Fields& fields, Open& open) {
  open.topic = fields.text("topic", kNameBytesMax);
  const std::string role = fields.text("role", 64);
  if (role != "producer" && role != "consumer") {
    throw fields.wrong("role", "must be one of producer, consumer");
  }
  open.role = role == "producer" ? layout::Role::producer : layout::Role::consumer;
  if (fields.has("cursor")) open.cursor = fields.text("cursor", kNameBytesMax);
  if (open.cursor && open.role == layout::Role::producer) {
    throw fields.wrong("cursor", "is for consumers only");
  }
  if (fields.has("protects")) open.protects = fields.flag("protects");
  open.mapped_generation = optional_number(fields, "mapped_generation");
  open.moved = optional_number(fields, "moved");
  if (fields.has("exclusive")) open.exclusive = fields.flag("exclusive");
  if (open.exclusive && open.role == layout::Role::consumer) {
    throw fields.wrong("exclusive", "is for producers only");
  }
}

void write(nlohmann::json& json, const Close& close) {
  json["handle"] = close.handle;
}
void read(const Fields& fields, Close& close) {
  close.handle = fields.number<std::uint64_t>("handle");
}

void write_place(nlohmann::json& json, const AtOffset& at) {
  json["offset"] = at.offset;
}
void write_place(nlohmann::json& json, const AtPosition& at) {
  json["position"] = at.position;
}
void write_place(nlohmann::json& json, const AtTime& at) {
  json["time_ns"] = at.time_ns;
}

void write(nlohmann::json& json, const FindSegment& find) {
  json["topic"] = shm::to_string(find.topic);
  json["partition"] = find.partition;
  std::visit([&](const auto& at) { write_place(json["at"], at); }, find.at);
  if (find.unreadable) json["unreadable"] = *find.unreadable;
}
void read(const Fields& fields, FindSegment& find) {
  find.topic = uuid(fields, "topic");
  find.partition = fields.number<std::uint32_t>("partition", 0, layout::kPartitionsMax - 1);
  find.unreadable = optional_number(fields, "unreadable");
  const Fields at = fields.object("at");
  if (at.has("offset") + at.has("position") + at.has("time_ns") != 1) {
    throw fields.wrong("at", "must have one of offset, position, time_ns");
  }
  if (at.has("offset")) {
    find.at = AtOffset{at.number<std::uint64_t>("offset")};
  } else if (at.has("position")) {
    find.at = AtPosition{at.number<std::uint64_t>("position")};
  } else {
    find.at = AtTime{at.signed_number("time_ns")};
  }
}

void write(nlohmann::json& json, const ListCursors& list) {
  json["topic"] = list.topic;
  if (!list.after.empty()) json["after"] = list.after;
}
void read(const Fields& fields, ListCursors& list) {
  list.topic = fields.text("topic", kNameBytesMax);
  if (fields.has("after")) list.after = fields.text("after", kNameBytesMax);
}

void write(nlohmann::json& json, const DeleteCursor& remove) {
  json["topic"] = remove.topic;
  json["name"] = remove.name;
}
void read(const Fields& fields, DeleteCursor& remove) {
  remove.topic = fields.text("topic", kNameBytesMax);
  remove.name = fields.text("name", kNameBytesMax);
}

void write(nlohmann::json& json, const TrimTopic& trim) {
  json["name"] = trim.name;
  if (trim.before_offset) json["before_offset"] = *trim.before_offset;
  if (trim.before_time_ns) json["before_time_ns"] = *trim.before_time_ns;
  if (trim.partition) json["partition"] = *trim.partition;
  if (trim.dry_run) json["dry_run"] = true;
  if (trim.first != 0) json["first"] = trim.first;
  if (trim.max) json["max"] = *trim.max;
}
void read(const Fields& fields, TrimTopic& trim) {
  trim.name = fields.text("name", kNameBytesMax);
  trim.before_offset = optional_number(fields, "before_offset");
  if (fields.has("before_time_ns")) trim.before_time_ns = fields.signed_number("before_time_ns");
  if (!trim.before_offset && !trim.before_time_ns) {
    throw fields.wrong("before_offset", "or before_time_ns must be there");
  }
  if (fields.has("partition")) {
    trim.partition = fields.number<std::uint32_t>("partition", 0, layout::kPartitionsMax - 1);
  }
  if (fields.has("dry_run")) trim.dry_run = fields.flag("dry_run");
  if (fields.has("first")) {
    trim.first = fields.number<std::uint32_t>("first", 0, layout::kPartitionsMax - 1);
  }
  if (fields.has("max")) trim.max = fields.number<std::uint32_t>("max", 1);
}

void write(nlohmann::json& json, const ChangeAccess& change) {
  json["name"] = change.name;
  json["grant"] = change.grant;
  json["readers"] = change.readers;
  json["writers"] = change.writers;
  json["admins"] = change.admins;
}
void read(const Fields& fields, ChangeAccess& change) {
  change.name = fields.text("name", kNameBytesMax);
  change.grant = fields.flag("grant");
  change.readers = fields.texts("readers");
  change.writers = fields.texts("writers");
  change.admins = fields.texts("admins");
}

void write(nlohmann::json& json, const ListAccess& list) {
  json["name"] = list.name;
}
void read(const Fields& fields, ListAccess& list) {
  list.name = fields.text("name", kNameBytesMax);
}

/// What people call the text that stands in the field `name` of a request.
std::string noun_of(const std::string& name, const std::string& op) {
  if (name != "name" && name != "after") return name;
  return op.starts_with("cursor_") ? "cursor" : "topic";
}

void demand_utf8(const nlohmann::json& json, const std::string& noun, const std::string& op) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) demand_utf8(value, noun_of(name, op), op);
  } else if (json.is_array()) {
    for (const auto& value : json) demand_utf8(value, noun, op);
  } else if (json.is_string() && !is_utf8(json.get_ref<const std::string&>())) {
    throw Error(
        ErrorCode::usage,
        fmt::format("{} '{}'", noun, with_escaped_bytes(json.get_ref<const std::string&>())),
        "is not valid UTF-8", "write it in UTF-8");
  }
}

/// Reads the alternative of Request whose operation it is.
template <std::size_t index = 0>
Request read_request(const std::string& op, const Fields& fields) {
  if constexpr (index == std::variant_size_v<Request>) {
    throw fields.wrong("op", "names no operation of this version");
  } else {
    std::variant_alternative_t<index, Request> request;
    if (op != request.kOp) return read_request<index + 1>(op, fields);
    read(fields, request);
    return request;
  }
}

}  // namespace

void demand_utf8(const nlohmann::json& request) {
  demand_utf8(request, "text", request.value("op", ""));
}

Envelope open_envelope(std::string_view text) {
  auto body = nlohmann::json::parse(text, nullptr, false);
  if (body.is_discarded()) {
    throw Error(ErrorCode::usage, "control message", "is not JSON", "");
  }
  const std::uint64_t id = Fields(body, "control message").number<std::uint64_t>("id");
  return {id, std::move(body)};
}

std::string encode(std::uint64_t id, const Request& request) {
  return std::visit(
      [&](const auto& alternative) {
        nlohmann::json json{{"op", alternative.kOp}, {"id", id}};
        write(json, alternative);
        demand_utf8(json);
        return text_of(json);
      },
      request);
}

Request decode_request(const Envelope& envelope) {
  const std::string op = Fields(envelope.body, "control message").text("op", 64);
  return read_request(op, Fields(envelope.body, "request " + op));
}

}  // namespace ringway::control
