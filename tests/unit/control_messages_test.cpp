#include <catch2/catch.hpp>

#include "control/messages.hpp"
#include "control/utf8.hpp"

namespace control_messages_test {

using namespace ringway;
using namespace ringway::control;

namespace {

template <class R>
R round_trip(const R& request) {
  return std::get<R>(decode_request(open_envelope(encode(7, Request(request)))));
}

template <class R>
R reply_trip(const R& reply) {
  const Envelope envelope = open_envelope(encode(9, Reply(reply)));
  CHECK(envelope.id == 9);
  return decode_reply<R>(envelope);
}

std::string refusal(const std::string& text) {
  try {
    decode_request(open_envelope(text));
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    return error.what();
  }
  return "accepted";
}

std::string setting_refused(const TopicSettings& settings) {
  try {
    validate(settings);
  } catch (const Error& error) {
    CHECK_FALSE(error.fix().empty());
    return error.thing();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("messages: every request survives the wire", "[control]") {
  CHECK(round_trip(Hello{1, "ringway 0.1.0", ~0ull}).session == ~0ull);
  CHECK(round_trip(Hello{.client = "x", .membarrier = true}).membarrier);
  CHECK_FALSE(round_trip(Hello{.client = "x"}).membarrier);
  const auto altered = round_trip(AlterTopic{"t", {.when_stopped = WhenStopped::fence}});
  CHECK(altered.settings == TopicChoices{.when_stopped = WhenStopped::fence});
  const TopicChoices of_pins{.retired_bytes_max = 0, .when_pinned = WhenPinned::copy};
  CHECK(round_trip(AlterTopic{"t", of_pins}).settings == of_pins);
  CHECK(round_trip(Open{.topic = "t", .moved = 7}).moved == 7);
  CHECK_FALSE(round_trip(Hello{1, "x", {}}).session);
  CHECK(round_trip(Hello{.client = "x", .version = "0.1.0"}).version == "0.1.0");
  CHECK(round_trip(Hello{.client = "x"}).version.empty());
  CreateTopic create{"a/b", {}};
  create.settings.partitions = 4;
  create.settings.sync = Sync::never;
  create.settings.persist = false;
  create.settings.when_full = WhenFull::overwrite;
  create.settings.readers = {"anna", "@staff"};
  CHECK(round_trip(create).settings == create.settings);
  create.settings = {
      .partitions = 1, .persist = true, .retention_bytes = 0};  // what is default, too
  CHECK(round_trip(create).settings == create.settings);
  CHECK(round_trip(DeleteTopic{"größe"}).name == "größe");
  CHECK(round_trip(ListTopics{"m", 17}).max == 17);
  CHECK(round_trip(DescribeTopic{"t"}).name == "t");
  round_trip(GetStatus{});
  const Open open = round_trip(Open{"t", layout::Role::consumer, "billing", false, 3});
  CHECK(open.cursor == "billing");
  CHECK(open.protects == false);
  CHECK(open.mapped_generation == 3);
  const Open producer = round_trip(Open{"t", layout::Role::producer, {}, {}, {}});
  CHECK(producer.role == layout::Role::producer);
  CHECK(producer.protects == std::nullopt);
  CHECK_FALSE(producer.exclusive);
  Open alone{"t", layout::Role::producer, {}, {}, {}};
  alone.exclusive = true;
  CHECK(round_trip(alone).exclusive);
  alone.role = layout::Role::consumer;
  CHECK(refusal(encode(7, Request(alone))).find("exclusive") != std::string::npos);
  CHECK(round_trip(Close{12}).handle == 12);
  const Uuid uuid = shm::random_uuid();
  const auto by_time = round_trip(FindSegment{uuid, 3, AtTime{-5}});
  CHECK(by_time.topic == uuid);
  CHECK(std::get<AtTime>(by_time.at).time_ns == -5);
  CHECK(std::get<AtOffset>(round_trip(FindSegment{uuid, 0, AtOffset{8}}).at).offset == 8);
  CHECK(std::get<AtPosition>(round_trip(FindSegment{uuid, 0, AtPosition{~0ull}}).at).position ==
        ~0ull);
  CHECK(round_trip(ListCursors{"t", "c"}).after == "c");
  CHECK(round_trip(DeleteCursor{"t", "c"}).name == "c");
  const auto access = round_trip(ChangeAccess{"t", false, {"a"}, {"@b"}, {"c"}});
  CHECK((access.name == "t" && !access.grant && access.readers == std::vector<std::string>{"a"}));
  CHECK((access.writers.front() == "@b" && access.admins.front() == "c"));
  CHECK(round_trip(ListAccess{"t"}).name == "t");
  const auto trim = round_trip(TrimTopic{
      .name = "t", .before_offset = 5, .before_time_ns = -1, .partition = 3, .dry_run = true});
  CHECK((trim.name == "t" && trim.before_offset == 5 && trim.before_time_ns == -1));
  CHECK((trim.partition == 3 && trim.dry_run && trim.first == 0 && trim.max == std::nullopt));
  const auto page = round_trip(TrimTopic{.name = "t", .before_offset = 5, .first = 7, .max = 9});
  CHECK((page.first == 7 && page.max == 9));
}

TEST_CASE("messages: every reply survives the wire", "[control]") {
  const Uuid uuid = shm::random_uuid();
  const Welcome welcome = reply_trip(Welcome{5, uuid, 6, true});
  CHECK(welcome.bus == uuid);
  CHECK(welcome.resumed);
  reply_trip(Done{});
  CHECK(reply_trip(TopicCreated{uuid}).uuid == uuid);
  const auto list =
      reply_trip(TopicList{{{"t", uuid, 4, layout::TopicMode::memory_overwrite}}, true});
  REQUIRE(list.topics.size() == 1);
  CHECK(list.topics[0].mode == layout::TopicMode::memory_overwrite);
  CHECK(list.more);
  CHECK(reply_trip(TopicDescription{uuid, {}, {{"x", 1}}}).details["x"] == 1);
  CHECK(reply_trip(StatusReport{{{"topics", 3}}}).report["topics"] == 3);
  Opened opened;
  opened.generation = 2;
  opened.partitions = 2;
  opened.first_slot = 478;
  opened.slots = 480;
  opened.cursor_offsets = {std::nullopt, 9};
  opened.new_chunk = true;
  const Opened back = reply_trip(opened);
  CHECK(back.cursor_offsets == opened.cursor_offsets);
  CHECK(back.first_slot == 478);
  CHECK_FALSE(back.exclusive);
  opened.exclusive = true;
  opened.log_directory = "/x/topics/y";
  CHECK(reply_trip(opened).exclusive);
  CHECK(reply_trip(opened).log_directory == "/x/topics/y");
  SegmentFound segment;
  segment.end_offset = 10;
  CHECK(reply_trip(segment).end_offset == 10);
  segment.missing_to_offset = 20;
  segment.missing_to_position = 2000;
  CHECK(reply_trip(segment).missing_to_offset == 20);
  CHECK(reply_trip(segment).missing_to_position == 2000);
  CHECK(reply_trip(SegmentFound{.in_ring = true}).in_ring);
  segment.lost_from_offset = 5;
  CHECK(reply_trip(segment).lost_from_offset == 5);
  const auto cursors = reply_trip(CursorList{{{"c", {1, std::nullopt}, false, 42}}, false});
  CHECK(cursors.cursors[0].holder_pid == 42);
  CHECK(reply_trip(TopicTrimmed{{}, 7}).next == 7);
  CHECK(reply_trip(TopicTrimmed{}).next == std::nullopt);
}

TEST_CASE("messages: an error arrives as it was thrown", "[control]") {
  const Error sent(ErrorCode::denied, "topic 'orders'", "user anna may not write", "ask an admin");
  try {
    decode_reply<Done>(open_envelope(encode(1, sent)));
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::denied);
    CHECK(error.thing() == sent.thing());
    CHECK(error.rule() == sent.rule());
    CHECK(error.fix() == sent.fix());
  }
  const Error bytes(ErrorCode::failed, "\xff\xfe", "r", "");
  CHECK_THROWS_AS(decode_reply<Done>(open_envelope(encode(1, bytes))), Error);
}

TEST_CASE("messages: what is no message is refused, naming the field", "[control]") {
  CHECK(refusal("") == "control message: is not JSON");
  CHECK(refusal("{") == "control message: is not JSON");
  CHECK(refusal(std::string(250'000, '[')) == "control message: is not JSON");
  CHECK(refusal("\xff") == "control message: is not JSON");
  CHECK(refusal("[]") == "control message: must be a JSON object");
  CHECK(refusal("{}") == "field 'id' of control message: is missing");
  CHECK(refusal(R"({"id":-1,"op":"status"})").find("'id'") != std::string::npos);
  CHECK(refusal(R"({"id":1})") == "field 'op' of control message: is missing");
  CHECK(refusal(R"({"id":1,"op":"fly"})") ==
        "field 'op' of request fly: names no operation of this version");
  for (const auto& [text, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"id":1,"op":"hello","protocol":"1","client":"x"})", "'protocol'"},
           {R"({"id":1,"op":"hello","protocol":4294967296,"client":"x"})", "'protocol'"},
           {R"({"id":1,"op":"hello","protocol":1.0,"client":"x"})", "'protocol'"},
           {R"({"id":1,"op":"hello","protocol":1,"client":7})", "'client'"},
           {R"({"id":1,"op":"hello","protocol":1,"client":"x","session":-1})", "'session'"},
           {R"({"id":1,"op":"create_topic","name":"t"})", "'settings'"},
           {R"({"id":1,"op":"create_topic","name":"t","settings":[]})", "settings"},
           {R"({"id":1,"op":"create_topic","name":"t","settings":{"persist":1}})", "'persist'"},
           {R"({"id":1,"op":"create_topic","name":"t","settings":{"sync":"often"}})", "'sync'"},
           {R"({"id":1,"op":"create_topic","name":"t","settings":{"readers":"all"}})", "'readers'"},
           {R"({"id":1,"op":"create_topic","name":"t","settings":{"readers":[1]}})", "'readers'"},
           {R"({"id":1,"op":"list_topics","max":0})", "'max'"},
           {R"({"id":1,"op":"open","topic":"t","role":"spy"})", "'role'"},
           {R"({"id":1,"op":"open","topic":"t","role":"producer","cursor":"c"})", "'cursor'"},
           {R"({"id":1,"op":"close"})", "'handle'"},
           {R"({"id":1,"op":"segment","topic":"t","partition":0,"at":{"offset":1}})", "'topic'"},
           {R"({"id":1,"op":"segment","topic":"00000000-0000-0000-0000-000000000000","partition":0,
                "at":{"offset":1,"position":2}})",
            "'at'"},
           {R"({"id":1,"op":"segment","topic":"00000000-0000-0000-0000-000000000000","partition":0,
                "at":{"time_ns":9223372036854775808}})",
            "'time_ns'"}}) {
    CAPTURE(text);
    CHECK(refusal(text).find(field) != std::string::npos);
  }
}

TEST_CASE("messages: what a program is called can always be shown", "[control]") {
  CHECK(with_escaped_bytes("gr\xc3\xbcn\033[2J\xff\xc2\x9b") ==
        "gr\xc3\xbcn\\x1b[2J\\xff\\xc2\\x9b");
}

TEST_CASE("messages: what is cut to fit ends with a whole character", "[control]") {
  const std::string_view text = "1.0-gr\xc3\xbcn\xf0\x9f\x8c\x8a";
  CHECK(control::cut(text, 0) == "");
  CHECK(control::cut(text, 6) == "1.0-gr");
  CHECK(control::cut(text, 7) == "1.0-gr");
  CHECK(control::cut(text, 8) == "1.0-gr\xc3\xbc");
  CHECK(control::cut(text, 12) == "1.0-gr\xc3\xbcn");
  CHECK(control::cut(text, 13) == text);
  CHECK(control::cut(text, 99) == text);
  CHECK(control::cut("\xbc\xbc\xbc", 2) == "");
}

TEST_CASE("messages: unknown fields are ignored and missing settings are not chosen", "[control]") {
  const auto envelope = open_envelope(
      R"({"id":3,"op":"create_topic","name":"t","colour":{"a":[1]},"settings":{"lunch":true}})");
  CHECK(std::get<CreateTopic>(decode_request(envelope)).settings == TopicChoices{});
}

TEST_CASE("messages: a reply with slots outside its chunk is refused", "[control]") {
  Opened opened;
  opened.generation = 1;
  opened.partitions = 4;
  opened.slots = 480;
  opened.first_slot = 477;
  const Envelope envelope = open_envelope(encode(1, Reply(opened)));
  CHECK_THROWS_AS(decode_reply<Opened>(envelope), Error);
}

TEST_CASE("topic settings: what is chosen counts, be it a default or not", "[control]") {
  const TopicSettings configured{.partitions = 4, .sync = Sync::never, .retention_bytes = 1 << 30};
  CHECK(settle({}, configured) == configured);
  const TopicSettings chosen =
      settle({.partitions = 1, .sync = Sync::interval, .retention_bytes = 0, .readers = {"anna"}},
             configured);
  CHECK(chosen == TopicSettings{.readers = {"anna"}});
}

TEST_CASE("topic settings: a default without meaning beside what is chosen is dropped",
          "[control]") {
  TopicSettings configured{.when_full = WhenFull::overwrite, .retention_age_ms = 1000};
  CHECK(settle({}, configured).when_full == WhenFull::block);
  const TopicSettings in_memory = settle({.persist = false}, configured);
  CHECK(in_memory.when_full == WhenFull::overwrite);
  CHECK(in_memory.retention_age_ms == 0);
  const TopicSettings of_pins{.retired_bytes_max = 1, .when_pinned = WhenPinned::kill};
  CHECK(settle({}, of_pins) == of_pins);
  CHECK(settle({.persist = false}, of_pins) == TopicSettings{.persist = false});
  CHECK(settle({.persist = false, .when_pinned = WhenPinned::copy}).when_pinned ==
        WhenPinned::copy);
  // What was chosen stays, to be refused by name.
  CHECK(settle({.persist = false, .retention_bytes = 1}, configured).retention_bytes == 1);
  CHECK(settle({.when_full = WhenFull::overwrite}).when_full == WhenFull::overwrite);
}

TEST_CASE("topic settings: each rule names its setting and a fix", "[control]") {
  CHECK(setting_refused({}) == "accepted");
  CHECK(setting_refused({.partitions = 0}) == "topic setting partitions");
  CHECK(setting_refused({.partitions = 10'001}) == "topic setting partitions");
  CHECK(setting_refused({.ring_bytes = 32 * 1024}) == "topic setting ring_bytes");
  CHECK(setting_refused({.ring_bytes = 64 * 1024 + 1}) == "topic setting ring_bytes");
  CHECK(setting_refused({.ring_bytes = std::uint64_t{8} << 30}) == "topic setting ring_bytes");
  CHECK(setting_refused({.ring_bytes = 64 * 1024}) == "accepted");
  CHECK(setting_refused({.segment_bytes = 262'143}) == "topic setting segment_bytes");
  CHECK(setting_refused({.sync_interval_ms = 0}) == "topic setting sync_interval_ms");
  CHECK(setting_refused({.sync_bytes = 1}) == "topic setting sync_bytes");
  CHECK(setting_refused({.when_full = WhenFull::overwrite}) == "topic setting when_full");
  CHECK(setting_refused({.persist = false, .when_disk_fails = WhenDiskFails::memory}) ==
        "topic setting when_disk_fails");
  CHECK(setting_refused({.persist = false, .retention_bytes = 1}) ==
        "topic setting retention_bytes");
  CHECK(setting_refused({.persist = false, .retired_bytes_max = 1}) ==
        "topic setting retired_bytes_max");
  CHECK(setting_refused({.persist = false, .when_pinned = WhenPinned::copy}) ==
        "topic setting when_pinned");
  CHECK(setting_refused({.retired_bytes_max = 1, .when_pinned = WhenPinned::kill}) == "accepted");
  CHECK(setting_refused({.readers = {""}}) == "topic setting readers");
  CHECK(setting_refused({.writers = {"a\nb"}}) == "topic setting writers");
  CHECK(setting_refused({.admins = std::vector<std::string>(65, "x")}) == "topic setting admins");
}

TEST_CASE("messages: a request whose text is not UTF-8 is refused and named", "[control]") {
  const auto refused = [](const Request& request) -> std::string {
    try {
      return encode(1, request);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.rule() == "is not valid UTF-8");
      CHECK_FALSE(error.fix().empty());
      return error.thing();
    }
  };
  CHECK(refused(CreateTopic{"caf\xe9", {}}) == "topic 'caf\\xe9'");
  CHECK(refused(DeleteTopic{"\xc3\xa9\xc3"}) == "topic '\xc3\xa9\\xc3'");
  CHECK(refused(DescribeTopic{"\xed\xa0\x80"}) == "topic '\\xed\\xa0\\x80'");
  CHECK(refused(Open{"t\xff", layout::Role::producer}) == "topic 't\\xff'");
  CHECK(refused(Open{"t", layout::Role::consumer, "c\xff"}) == "cursor 'c\\xff'");
  CHECK(refused(DeleteCursor{"t", "\x80"}) == "cursor '\\x80'");
  TopicChoices choices;
  choices.readers = {"anna", "b\xf8rge"};
  CHECK(refused(CreateTopic{"t", choices}) == "readers 'b\\xf8rge'");
}

TEST_CASE("topic names: levels of UTF-8, nothing reserved, nothing unprintable", "[control]") {
  for (const std::string& name :
       {std::string("a"), std::string("orders/eu/1"), std::string("größe"), std::string("日本/🚂"),
        std::string("a_b$"), std::string(249, 'x')}) {
    CAPTURE(name);
    CHECK_NOTHROW(validate_topic_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string(250, 'x'), std::string("/a"), std::string("a/"),
        std::string("a//b"), std::string("a+"), std::string("#"), std::string("_a"),
        std::string("$a"), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"),
        std::string("a\xc2\x85"), std::string("\xff"), std::string("\xc0\xaf"),
        std::string("\xed\xa0\x80"), std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82")}) {
    CAPTURE(name);
    CHECK_THROWS_AS(validate_topic_name(name), Error);
  }
  CHECK_NOTHROW(validate_cursor_name("_billing+#/"));
  CHECK_THROWS_AS(validate_cursor_name(""), Error);
  CHECK_THROWS_AS(validate_cursor_name(std::string(128, 'c')), Error);
}

}  // namespace control_messages_test
