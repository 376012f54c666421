// What `ringway log repair` does: nothing that verifies is lost, nothing half done, by any crash.

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "log/repair.hpp"
#include "log/restored_headers.hpp"
#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "support/seed.hpp"
#include "unit/log_fixture.hpp"

namespace ringway::test::log_repair_test {

using Values = std::map<std::uint64_t, std::string>;

constexpr int kRecords = 900;

/// Some eight segments of eight blocks, drained, and begun anew by two restarts in between.
struct DamagedLog : LogBench {
  explicit DamagedLog(std::uint64_t seed = 1) : LogBench(seed) {
    for (int i = 0; i < kRecords; ++i) {
      source.add(std::string(150 + i % 100, static_cast<char>('a' + i % 26)), 10 + i);
      if (i % 100 == 99) driver->drain();
      if (i == 399 || i == 649) {
        driver->confirm();
        driver.reset();
        begin(recover().go_on());
      }
    }
    driver->drain();
    driver->confirm();
    driver.reset();
    for (const std::string& name : names()) {
      const log::SegmentReader opened(
          disk, {disk, disk.open(kPath + "/" + name, storage::OpenMode::read)});
      geometries.emplace(name, log::Geometry(opened.header()));
    }
    REQUIRE(geometries.size() >= 8);
  }

  /// Names of the segments; the file of one.
  std::string name(std::size_t index) const {
    return std::next(geometries.begin(), static_cast<std::ptrdiff_t>(index))->first;
  }
  std::vector<std::byte>& bytes(std::size_t index) { return disk.bytes(kPath + "/" + name(index)); }
  const log::Geometry& geometry(std::size_t index) const { return geometries.at(name(index)); }
  void zero(std::size_t index, std::uint64_t from, std::uint64_t count) {
    auto& all = bytes(index);
    for (std::uint64_t i = from; i < std::min<std::uint64_t>(from + count, all.size()); ++i) {
      all[i] = std::byte{0};
    }
  }
  void put(const std::string& name, const std::vector<std::byte>& all) {
    const storage::File file(disk, disk.open(kPath + "/" + name, storage::OpenMode::create));
    REQUIRE(disk.write(file.descriptor(), all, 0) == 0);
  }
  void flip(std::size_t index, std::uint64_t at) { bytes(index).at(at) ^= std::byte{0x10}; }

  log::LogReport verify(Values* values = nullptr, bool clean = true) {
    const log::LogIdentity owner = LogDriver::identity();
    return log::verify_log(
        disk, kPath,
        [&](const log::Record& record) {
          const auto* text = reinterpret_cast<const char*>(record.body.data());
          if (values) values->emplace(record.at.offset, std::string(text, record.body.size()));
          return true;
        },
        clean ? source.tail() : log::LogPoint{}, &owner);
  }
  /// Offsets in front of it may have been used: by what the orderly stop left, or by the files.
  std::uint64_t used(bool clean) {
    if (clean) return source.tail().offset;
    return log::recover(disk, kPath, log::RecoverMode::inspect).floor.offset;
  }
  log::RepairPlan plan(bool clean = true) {
    const log::LogIdentity owner = LogDriver::identity();
    return log::plan_repair(disk, kPath, owner,
                            clean ? std::optional(source.tail()) : std::nullopt);
  }
  void repair(bool clean = true, const std::string& into = "cut") {
    log::repair_log(disk, kPath, plan(clean), into, "test\n");
  }
  /// Everything that is read is what was written, and all offsets are read or told as a gap.
  void check_sound(const Values& before, bool clean = true) {
    Values after;
    const log::LogReport report = verify(&after, clean);
    CHECK(report.clean());
    REQUIRE(std::ranges::includes(after, before));
    std::set<std::uint64_t> told;
    for (const log::NamedHole& named : report.holes) {
      for (auto at = named.hole.from.offset; at < named.hole.to.offset; ++at) told.insert(at);
    }
    CHECK(std::ranges::all_of(after, [&](const auto& record) {
      return record.second == source.records.at(record.first).value && !told.contains(record.first);
    }));
    if (clean) {
      CHECK(report.end == source.tail());
      CHECK(after.size() + told.size() == kRecords);
    }
    // Neither is anything moved at the next start, nor may an offset be used again.
    const log::LogIdentity owner = LogDriver::identity();
    const auto found = log::recover(disk, kPath, log::RecoverMode::repair, &owner);
    CHECK_FALSE(found.torn);
    CHECK(found.damaged.empty());
    if (clean) CHECK(found.end == source.tail());
    CHECK(verify(nullptr, clean).clean());
  }

  std::map<std::string, log::Geometry> geometries;
};

struct Damage {
  const char* what;
  std::function<void(DamagedLog&)> done;
  bool swept = false;  ///< also with every call refused
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all{
      {"the first, but its name", [](auto& log) { log.bytes(0).clear(); }, true},
      {"all of the log",
       [](auto& log) {
         for (const auto& [name, geometry] : log.geometries) log.disk.remove(kPath + "/" + name);
       }},
      {"all of it but names", [](auto& log) {
         for (std::size_t i = 0; i < log.geometries.size(); ++i) log.bytes(i).clear();
       }},
      {"a copy under the name in front of it, with a broken magic",
       [](auto& log) {
         std::vector<std::byte> copy = log.bytes(3);
         copy[0] ^= std::byte{1};
         log.put(log::segment_name(std::stoull(log.name(3)) - 1), copy);
       }},
      {"a flipped byte of data", [](auto& log) { log.flip(2, log.geometry(2).data_start + 9000); }},
      {"of the last data", [](auto& log) { log.flip(8, log.geometry(8).data_start + 100); }},
      {"two blocks", [](auto& log) { log.zero(1, log.geometry(1).data_start + 8192, 8192); }, true},
      {"the first segment's header", [](auto& log) { log.zero(0, 0, 4096); }, true},
      {"a header in the middle", [](auto& log) { log.zero(3, 0, 4096); }},
      {"the last header", [](auto& log) { log.zero(log.geometries.size() - 1, 0, 4096); }, true},
      {"two headers", [](auto& log) { log.zero(3, 0, 4096), log.zero(4, 0, 4096); }, true},
      {"a byte of a header", [](auto& log) { log.flip(3, 35); }, true},
      {"all of a header that is the same everywhere", [](auto& log) { log.zero(3, 512, 3000); }},
      {"a segment", [](auto& log) { log.disk.remove(kPath + "/" + log.name(3)); }},
      {"the one in front of a restart",
       [](auto& log) { log.disk.remove(kPath + "/" + log.name(4)); }},
      {"the last segment",
       [](auto& log) { log.disk.remove(kPath + "/" + std::prev(log.geometries.end())->first); }},
      {"a table", [](auto& log) { log.zero(2, 4096, 4096); }},
      {"tail slots", [](auto& log) { log.zero(2, log.geometry(2).slot_file_pos(0), 24576); }},
      {"a half", [](auto& log) { log.bytes(2).resize(log.bytes(2).size() / 2); }},
      {"all but the header", [](auto& log) { log.bytes(2).resize(5000); }},
      {"all but a part of the header", [](auto& log) { log.bytes(2).resize(700); }},
      {"a segment, and blocks of its neighbours",
       [](auto& log) {
         log.disk.remove(kPath + "/" + log.name(3));
         log.flip(2, log.geometry(2).data_start + 20000);
         log.flip(4, log.geometry(4).data_start + 10);
       },
       true},
  };
  return all;
}

TEST_CASE("log repair: whatever is damaged, all that verifies stays and the gap is told", "[log]") {
  for (const bool clean : {true, false}) {
    for (const Damage& damage : damages()) {
      CAPTURE(damage.what, clean);
      DamagedLog log;
      CHECK(log.plan(clean).empty());
      damage.done(log);
      Values before;
      log.verify(&before, clean);
      const std::uint64_t used = log.used(clean);
      log.repair(clean);
      CHECK(log.plan(clean).empty());
      log.check_sound(before, clean);
      CHECK(log.used(clean) >= used);
    }
  }
}

TEST_CASE("log repair: planning changes nothing", "[log]") {
  for (const Damage& damage : damages()) {
    CAPTURE(damage.what);
    DamagedLog log;
    damage.done(log);
    std::map<std::string, std::vector<std::byte>> before, after;
    for (const std::string& name : log.names()) before[name] = log.disk.bytes(kPath + "/" + name);
    log.plan();
    for (const std::string& name : log.names()) after[name] = log.disk.bytes(kPath + "/" + name);
    CHECK(before == after);
  }
}

TEST_CASE("log repair: a header is restored where a checksum proves it, and only there", "[log]") {
  DamagedLog log;
  log::SegmentHeader written;
  std::memcpy(&written, log.bytes(3).data(), sizeof written);
  const log::LogIdentity owner = LogDriver::identity();
  auto* const bytes = reinterpret_cast<unsigned char*>(&written);
  for (std::size_t at = 0; at < sizeof written; at += at < 200 || at > 4080 ? 1 : 61) {
    CAPTURE(at);
    log::SegmentHeader found = written;
    reinterpret_cast<unsigned char*>(&found)[at] ^= 0x5a;
    const auto restored = log::restored_header(found, owner, written.base_offset);
    REQUIRE(restored);
    REQUIRE(std::memcmp(&*restored, bytes, sizeof written) == 0);
  }
  log::SegmentHeader found = written;
  found.segment_id ^= 0x0101;  // two bytes that nothing else tells
  CHECK_FALSE(log::restored_header(found, owner, written.base_offset));
  CHECK_FALSE(log::restored_header({}, owner, written.base_offset));
}

TEST_CASE("log repair: no header is restored as one of another place", "[log]") {
  DamagedLog log;
  log::SegmentHeader written;
  std::memcpy(&written, log.bytes(3).data(), sizeof written);
  const log::LogIdentity owner = LogDriver::identity();
  log::SegmentHeader found = written;
  found.magic ^= 1;
  REQUIRE(log::restored_header(found, owner, written.base_offset));
  CHECK_FALSE(log::restored_header(found, owner, written.base_offset - 1));
  log::LogIdentity other = owner;
  other.partition ^= 1;
  CHECK_FALSE(log::restored_header(found, other, written.base_offset));
  other = owner;
  other.topic_uuid[3] ^= 1;
  CHECK_FALSE(log::restored_header(found, other, written.base_offset));
}

TEST_CASE("log repair: a copy under a far name goes aside, and moves offsets no further", "[log]") {
  for (const bool clean : {true, false}) {
    for (const bool broken : {true, false}) {
      CAPTURE(clean, broken);
      DamagedLog log;
      // Of the last one: its positions would do.
      std::vector<std::byte> copy = log.bytes(log.geometries.size() - 1);
      if (broken) copy[0] ^= std::byte{1};
      const std::string name = log::segment_name(std::uint64_t{1} << 40);
      log.put(name, copy);
      Values before;
      log.verify(&before, clean);
      CHECK(before.size() == kRecords);
      const std::uint64_t used = log.used(clean);
      const log::RepairPlan plan = log.plan(clean);
      REQUIRE(plan.size() == 1);  // the name vouches for no header
      CHECK(plan[0].how == log::Mending::set_aside);
      CHECK(plan[0].file == name);
      CHECK(plan[0].offsets() == 0);
      log.repair(clean);
      CHECK(log.disk.bytes(kPath + "/" + plan[0].set_aside_as) == copy);
      log.check_sound(before, clean);
      CHECK(log.used(clean) == used);
    }
  }
}

TEST_CASE("log repair: what is missing at the beginning has a place or is refused", "[log]") {
  DamagedLog log;
  log.bytes(0).clear();
  // The one behind it says that the log ended at no position and many offsets.
  log::SegmentHeader header;
  std::memcpy(&header, log.bytes(1).data(), sizeof header);
  header.predecessor_end_position = header.predecessor_unsynced_bytes = 0;
  header.checksum = log::checksum_of(header, 0);
  REQUIRE(log::header_defect(header) == nullptr);
  std::memcpy(log.bytes(1).data(), &header, sizeof header);
  try {
    log.plan();
    FAIL("it was not refused");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::failed);
    CHECK(error.thing() == kPath + "/" + log.name(0));
    CHECK(error.rule() ==
          "what is missing there cannot be filled in: the header contradicts itself");
  }
}

TEST_CASE("log repair: of a file that goes nothing is written over", "[log]") {
  DamagedLog log;
  // A header that can be restored, of a segment that lies behind the one in front of it.
  log::SegmentHeader header;
  std::memcpy(&header, log.bytes(3).data(), sizeof header);
  std::vector<std::byte> copy = log.bytes(3);
  header.base_offset = std::stoull(log.name(6)) - 1;
  header.checksum = log::checksum_of(header, 0);
  header.magic ^= 1;
  std::memcpy(copy.data(), &header, sizeof header);
  const std::string name = log::segment_name(header.base_offset);
  log.put(name, copy);
  const log::RepairPlan plan = log.plan();
  REQUIRE(plan.size() == 1);
  CHECK(plan[0].how == log::Mending::take_out);
  CHECK(plan[0].file == name);
  log.repair();
  CHECK(log.disk.bytes(kPath + "/cut/" + name) == copy);
  CHECK(log.verify().records == kRecords);
}

TEST_CASE("log repair: blocks that verify stay where nothing else tells how far they go", "[log]") {
  for (const bool only_one : {false, true}) {
    CAPTURE(only_one);
    DamagedLog log;
    const std::uint64_t begin = std::stoull(log.name(2)), end = std::stoull(log.name(3));
    log.zero(2, log.geometry(2).slot_file_pos(0), 24576);
    if (only_one) log.zero(2, log.geometry(2).data_start, 6 * 4096);  // the last complete block
    log.disk.remove(kPath + "/" + log.name(3));
    Values before;
    log.verify(&before);
    const auto kept = std::ranges::count_if(
        before, [&](const auto& record) { return record.first >= begin && record.first < end; });
    CHECK(kept * (only_one ? 10 : 2) > static_cast<std::int64_t>(end - begin));
    for (const log::Mend& mend : log.plan()) CHECK(mend.how != log::Mending::take_out);
    log.repair();
    log.check_sound(before);
  }
}

TEST_CASE("log repair: a segment of a later version is no damage, one that only looks so is",
          "[log]") {
  for (const bool flags : {false, true}) {
    DamagedLog log;
    log::SegmentHeader header;
    std::memcpy(&header, log.bytes(3).data(), sizeof header);
    if (flags) {
      header.incompatible_flags = 1;
    } else {
      header.version = 2;
    }
    header.checksum = log::checksum_of(header, 0);
    std::memcpy(log.bytes(3).data(), &header, sizeof header);
    try {
      log.plan();
      FAIL("it was not refused");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::incompatible);
      CHECK(error.thing() == kPath + "/" + log.name(3));
    }
    log.flip(3, 3000);
    log.flip(3, 35);
    log.flip(3, 90);
    log.repair();
    CHECK(log.verify().clean());
  }
}

TEST_CASE("log repair: a block that comes back is read again; a new hole is news", "[log]") {
  DamagedLog log;
  const std::uint64_t at = log.geometry(2).data_start + 9000;
  log.flip(2, at);
  log.repair();
  REQUIRE(log.verify().holes.size() == 1);
  log.flip(2, at);
  CHECK(log.verify().holes.empty());
  CHECK(log.verify().records == kRecords);
  log.flip(2, at);
  log.flip(2, at + 8192);
  CHECK_FALSE(log.verify().clean());
  CHECK(log.plan().size() == 1);
}

TEST_CASE("log repair: pieces that are put back make the files as they were", "[log]") {
  for (const Damage& damage : damages()) {
    CAPTURE(damage.what);
    DamagedLog log;
    damage.done(log);
    std::map<std::string, std::vector<std::byte>> before, after;
    for (const std::string& name : log.names()) before[name] = log.disk.bytes(kPath + "/" + name);
    const log::RepairPlan plan = log.plan();
    log.repair();
    for (const log::Mend& mend : plan) {
      if (mend.how == log::Mending::fill_in) log.disk.remove(kPath + "/" + mend.file);
    }
    for (const std::string& name : log.names()) {
      if (name == std::string("cut/") + log::kCutNote) continue;
      const auto& bytes = log.disk.bytes(kPath + "/" + name);
      if (!name.starts_with("cut/")) {
        after[name] = bytes;
      } else if (const auto piece = name.find(".at-"); piece == std::string::npos) {
        after[name.substr(4)] = bytes;
      }
    }
    for (const std::string& name : log.names()) {
      const auto piece = name.find(".at-");
      if (piece == std::string::npos) continue;
      const auto& bytes = log.disk.bytes(kPath + "/" + name);
      auto& whole = after[name.substr(4, piece - 4)];
      const std::uint64_t at = std::stoull(name.substr(piece + 4));
      whole.resize(std::max<std::size_t>(whole.size(), at + bytes.size()));
      std::ranges::copy(bytes, whole.begin() + static_cast<std::ptrdiff_t>(at));
    }
    for (auto& [name, bytes] : after) {
      // A mark behind the end of a file that was cut short makes it longer.
      if (bytes.size() > before[name].size()) bytes.resize(before[name].size());
    }
    CHECK(after == before);
  }
}

/// What a call is refused, and what becomes of the process then.
enum class Ending { told, killed, power_cut };

TEST_CASE("log repair: refused or cut off anywhere it loses nothing, and done again it is done",
          "[log]") {
  const std::uint64_t seed = chosen_seed();
  CAPTURE(seed);
  int refused = 0;
  std::uint64_t rounds = 0;
  for (const bool clean : {true, false}) {
    for (const Ending ending : {Ending::told, Ending::killed, Ending::power_cut}) {
      if (!clean && ending != Ending::power_cut) continue;
      for (const Call call : {Call::make_directories, Call::open, Call::write, Call::sync,
                              Call::link, Call::rename, Call::remove, Call::sync_directory}) {
        for (const Damage& damage : damages()) {
          for (int nth = 1; damage.swept; ++nth) {
            CAPTURE(damage.what, clean, static_cast<int>(ending), static_cast<int>(call), nth);
            DamagedLog log(seed + ++rounds);
            damage.done(log);
            Values before;
            log.verify(&before, clean);
            const std::uint64_t used = log.used(clean);
            const log::RepairPlan plan = log.plan(clean);
            log.disk.make_all_durable();
            const int error = ending == Ending::told ? ENOSPC : EIO;
            log.disk.is_last_refusal = ending != Ending::told;
            log.disk.fail(call, nth, error);
            bool done = true;
            try {
              log::repair_log(log.disk, kPath, plan, "cut", "test\n");
            } catch (const Error&) {
              done = false;
            }
            log.disk.heal();
            log.disk.is_last_refusal = false;
            if (ending == Ending::killed) log.disk.kill();
            if (ending == Ending::power_cut) log.disk.power_cut();
            refused += done ? 0 : 1;
            Values after;
            log.verify(&after, clean);
            REQUIRE(std::ranges::includes(after, before));
            if (const auto again = log.plan(clean); !again.empty()) {
              REQUIRE_FALSE(done);
              log::repair_log(log.disk, kPath, again, "cut-2", "test\n");
            }
            log.check_sound(before, clean);
            REQUIRE(log.used(clean) >= used);
            if (done) break;
          }
        }
      }
    }
  }
  CHECK(refused > 400);
}

}  // namespace ringway::test::log_repair_test
