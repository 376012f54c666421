#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "log/verify.hpp"
#include "ringway/error.hpp"
#include "storage/posix_file_system.hpp"
#include "storage/write_engine.hpp"
#include "support/log_driver.hpp"
#include "support/temporary_directory.hpp"

namespace ringway::test::storage_engine_test {
namespace {

using storage::EngineChoice;
using storage::OpenMode;

storage::PageBuffer filled(std::size_t bytes, unsigned value) {
  storage::PageBuffer buffer(bytes);
  std::memset(buffer.data(), static_cast<int>(value), bytes);
  return buffer;
}

storage::Completion one(storage::WriteEngine& engine) {
  storage::Completion completion{};
  while (engine.reap({&completion, 1}, std::chrono::seconds(1)) == 0) {
  }
  return completion;
}

/// Opens past the page cache where the file system can.
storage::File open_direct(storage::FileSystem& files, const std::string& path) {
  int descriptor = files.open(path, OpenMode::create_direct);
  if (descriptor == -EINVAL) descriptor = files.open(path, OpenMode::create);
  REQUIRE(descriptor >= 0);
  return {files, descriptor};
}

/// While the first sync of its root is under way somebody else makes a directory below; then it
/// fails.
class FailsFirstSync : public storage::PosixFileSystem {
 public:
  FailsFirstSync(std::string root, std::function<void()> meanwhile)
      : root_(std::move(root)), meanwhile_(std::move(meanwhile)) {}
  ~FailsFirstSync() override { other_.get(); }

  int sync_directory(const std::string& path) noexcept override {
    if (path != root_) return PosixFileSystem::sync_directory(path);
    if (syncs_++ != 0) return 0;
    other_ = std::async(std::launch::async, meanwhile_);
    // Who is let in is done by then. Who is not waits for this one's end.
    other_.wait_for(std::chrono::milliseconds(50));
    return -EIO;
  }
  void join() { other_.wait(); }
  int syncs() const noexcept { return syncs_; }

 private:
  const std::string root_;
  const std::function<void()> meanwhile_;
  std::atomic<int> syncs_{0};
  std::future<void> other_;
};

/// Writes down what is synced.
class NotesSyncs : public storage::PosixFileSystem {
 public:
  int sync_directory(const std::string& path) noexcept override {
    synced.push_back(path);
    return PosixFileSystem::sync_directory(path);
  }
  std::vector<std::string> synced;
};

}  // namespace

TEST_CASE("file system: what is no regular file is not there, and holds up nobody", "[storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "f";
  storage::PosixFileSystem files;
  const bool is_pipe = GENERATE(true, false);
  CAPTURE(is_pipe);
  REQUIRE((is_pipe ? ::mkfifo(path.c_str(), 0600) : ::mkdir(path.c_str(), 0700)) == 0);
  // Somebody at its other end, so that a test which fails is not held up either.
  const storage::File other(files, is_pipe ? ::open(path.c_str(), O_RDWR | O_CLOEXEC) : -1);
  for (const OpenMode mode : {OpenMode::read, OpenMode::write, OpenMode::create}) {
    CHECK(files.open(path, mode) == -ENOENT);
  }
  CHECK_THROWS_AS(log::hole_at(files, path, 0, {}), Error);

  const std::string link = directory / "link";
  REQUIRE(::symlink((directory / "elsewhere").c_str(), link.c_str()) == 0);
  CHECK(files.open(link, OpenMode::read) == -ENOENT);
  { const storage::File made(files, files.open(directory / "elsewhere", OpenMode::create)); }
  CHECK(storage::File(files, files.open(link, OpenMode::read)).is_open());
}

TEST_CASE("engine: what is written is read back, on every path", "[storage]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const std::string parent = GENERATE(as<std::string>{}, "/tmp", "/dev/shm");
  const TemporaryDirectory directory(parent);
  storage::PosixFileSystem files;
  const auto engine = storage::make_write_engine(choice);
  const storage::File file = open_direct(files, directory.path() + "/f");
  REQUIRE(files.reserve(file.descriptor(), 4 << 20) == 0);

  const auto large = filled(3 << 20, 1);
  const auto small = filled(8192, 2);
  const storage::WritePiece pieces[] = {{large.data(), large.size(), 8192},
                                        {small.data(), small.size(), 0}};
  engine->submit_writes(file.descriptor(), pieces, 7);
  const auto written = one(*engine);
  CHECK(written.token == 7);
  CHECK(written.result == 0);
  engine->submit_sync(file.descriptor(), 8);
  const auto synced = one(*engine);
  CHECK(synced.token == 8);
  CHECK(synced.result == 0);
  CHECK(engine->under_way() == 0);

  std::vector<std::byte> bytes(large.size() + small.size());
  const storage::File again(files, files.open(directory.path() + "/f", OpenMode::read));
  REQUIRE(files.read(again.descriptor(), bytes, 0) == static_cast<std::int64_t>(bytes.size()));
  CHECK(std::memcmp(bytes.data(), small.data(), small.size()) == 0);
  CHECK(std::memcmp(bytes.data() + small.size(), large.data(), large.size()) == 0);
}

TEST_CASE("engine: writes that are synced complete twice, the sync last", "[storage]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const std::string parent = GENERATE(as<std::string>{}, "/tmp", "/dev/shm");
  const TemporaryDirectory directory(parent);
  storage::PosixFileSystem files;
  const auto engine = storage::make_write_engine(choice);
  const std::string path = directory.path() + "/f";
  const storage::File file = open_direct(files, path);
  const auto large = filled(1 << 20, 1);
  const auto small = filled(8192, 2);
  const storage::WritePiece pieces[] = {{large.data(), large.size(), 8192},
                                        {small.data(), small.size(), 0}};
  const storage::File read_only(files, files.open(path, OpenMode::read));
  const auto both = [&](int descriptor, std::span<const storage::WritePiece> of, int result) {
    engine->submit_synced_writes(descriptor, of, 7, 8);
    CHECK(engine->under_way() > 0);
    const auto written = one(*engine);
    CHECK(written.token == 7);
    CHECK(written.result == result);
    const auto synced = one(*engine);
    CHECK(synced.token == 8);
    CHECK(synced.result == (result < 0 ? -ECANCELED : 0));
    CHECK(engine->under_way() == 0);
  };
  both(file.descriptor(), pieces, 0);
  both(file.descriptor(), {pieces + 1, 1}, 0);
  both(file.descriptor(), {}, 0);
  both(read_only.descriptor(), pieces, -EBADF);

  std::vector<std::byte> bytes(large.size() + small.size());
  REQUIRE(files.read(read_only.descriptor(), bytes, 0) ==
          static_cast<std::int64_t>(bytes.size()));
  CHECK(std::memcmp(bytes.data(), small.data(), small.size()) == 0);
  CHECK(std::memcmp(bytes.data() + small.size(), large.data(), large.size()) == 0);
}

TEST_CASE("engine: many batches of many files complete once each", "[storage]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const TemporaryDirectory directory;
  storage::PosixFileSystem files;
  const auto engine = storage::make_write_engine(choice);
  const auto memory = filled(64 * 1024, 3);
  std::vector<storage::File> open;
  constexpr std::uint64_t kFiles = 8;
  constexpr std::uint64_t kRounds = 40;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    open.push_back(open_direct(files, directory.path() + "/" + std::to_string(i)));
  }
  std::vector<int> seen(kFiles * kRounds);
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    for (std::uint64_t i = 0; i < kFiles; ++i) {
      const storage::WritePiece piece{memory.data(), memory.size(), round * memory.size()};
      engine->submit_writes(open[i].descriptor(), {&piece, 1}, round * kFiles + i);
    }
  }
  while (engine->under_way() > 0) {
    const auto completion = one(*engine);
    CHECK(completion.result == 0);
    ++seen[completion.token];
  }
  CHECK(seen == std::vector<int>(kFiles * kRounds, 1));
}

TEST_CASE("engine: a refused write is a completion with its errno", "[storage]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const TemporaryDirectory directory;
  storage::PosixFileSystem files;
  open_direct(files, directory.path() + "/f");
  const storage::File read_only(files, files.open(directory.path() + "/f", OpenMode::read));
  const auto engine = storage::make_write_engine(choice);
  const auto memory = filled(4096, 1);
  const storage::WritePiece piece{memory.data(), memory.size(), 0};
  engine->submit_writes(read_only.descriptor(), {&piece, 1}, 1);
  CHECK(one(*engine).result == -EBADF);
  engine->submit_writes(read_only.descriptor(), {}, 2);
  CHECK(one(*engine).result == 0);
}

TEST_CASE("engine: O_DIRECT is dropped where a write past the page cache is refused", "[storage]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const TemporaryDirectory directory;
  storage::PosixFileSystem files;
  const auto engine = storage::make_write_engine(choice);
  const storage::File file = open_direct(files, directory.path() + "/f");
  if (!files.is_direct(file.descriptor())) return;
  const auto memory = filled(8192, 5);
  // Memory that is not aligned is what a device with larger sectors would make of ours.
  const storage::WritePiece piece{memory.data() + 3, 4096, 0};
  engine->submit_writes(file.descriptor(), {&piece, 1}, 1);
  CHECK(one(*engine).result == 0);
  CHECK_FALSE(files.is_direct(file.descriptor()));
}

TEST_CASE("log: the same records come back over every engine and path", "[log]") {
  const EngineChoice choice = GENERATE(EngineChoice::io_uring, EngineChoice::pwrite);
  const log::WritePath path = GENERATE(log::WritePath::direct, log::WritePath::buffered);
  const std::string parent = GENERATE(as<std::string>{}, "/tmp", "/dev/shm");
  const TemporaryDirectory directory(parent);
  const std::string partition = directory.path() + "/topic/3";
  storage::PosixFileSystem files;
  const auto engine = storage::make_write_engine(choice);
  RecordSource source(256 * 1024, {});
  log::LogSettings settings;
  settings.segment_bytes = 1 << 20;
  settings.write_path = path;
  {
    LogDriver driver(files, *engine, source, settings, {{}, {}, log::kNoTime, {}}, partition);
    for (int i = 0; i < 20'000; ++i) {
      if (!source.room(300, driver.log().durable().position)) driver.drain();
      source.add(std::string(static_cast<std::size_t>(i % 300), 'v'), i);
    }
    driver.drain();
    REQUIRE(driver.log().durable() == source.tail());
    if (path == log::WritePath::buffered) {
      CHECK(driver.log().write_path() == std::string(engine->name()) + ", buffered");
    }
  }
  auto expected = source.records.begin();
  const auto report = log::verify_log(files, partition, [&](const log::Record& record) {
    REQUIRE(record.at == expected->second.at);
    REQUIRE(record.body.size() == expected->second.value.size());
    ++expected;
    return true;
  });
  CHECK(report.clean());
  CHECK(report.records == 20'000);
  CHECK(report.segments >= 3);
  const auto recovered = log::recover(files, partition, log::RecoverMode::repair);
  CHECK(recovered.end == source.tail());
}

TEST_CASE("storage: a directory whose making cannot be synced is durable to nobody else either",
          "[storage]") {
  const TemporaryDirectory directory;
  const std::string root = directory.path();
  int second = 1;
  storage::PosixFileSystem* files = nullptr;
  std::ofstream(root + "/catalog.db") << "what is there when topics are made";
  FailsFirstSync failing(root, [&] { second = files->make_directories(root + "/topic/1"); });
  files = &failing;
  CHECK(failing.make_directories(root + "/topic/0") == -EIO);
  failing.join();
  REQUIRE(second == 0);
  CHECK(failing.syncs() == 2);  // the one that it rests on
}

TEST_CASE("storage: a directory whose maker died before he had synced it is not taken for durable",
          "[storage]") {
  const TemporaryDirectory directory;
  const std::string root = directory / "state";
  const std::string topics = root + "/topics", topic = topics + "/t";
  using Paths = std::vector<std::string>;
  std::filesystem::create_directory(root);
  std::ofstream(root + "/catalog.db") << "what is there when topics are made";
  SECTION("the one that is asked for") {
    std::filesystem::create_directories(topic);
    std::ofstream(topics + "/other") << "so that this one is durable";
    NotesSyncs files;
    CHECK(files.make_directories(topic) == 0);
    CHECK(files.synced == Paths{topics});
  }
  SECTION("the ones above it") {
    std::filesystem::create_directory(topics);
    NotesSyncs files;
    CHECK(files.make_directories(topic + "/0") == 0);
    CHECK(files.synced == Paths{root, topics, topic});
  }
  SECTION("of many, each with nothing in it, one sync is enough") {
    for (int p = 0; p < 10; ++p) std::filesystem::create_directories(topic + fmt::format("/{}", p));
    NotesSyncs files;
    for (int p = 0; p < 10; ++p) CHECK(files.make_directories(topic + fmt::format("/{}", p)) == 0);
    CHECK(files.synced == Paths{topic});
  }
  SECTION("of many that are made ahead, too, but not by what was durable before") {
    NotesSyncs files;
    CHECK(files.make_directories(topic + "/0") == 0);
    CHECK(files.synced == Paths{root, topics, topic});
    files.make_ahead(topic, 10);
    for (int p = 0; p < 10; ++p) CHECK(files.make_directories(topic + fmt::format("/{}", p)) == 0);
    CHECK(files.synced == Paths{root, topics, topic, topic});
  }
  SECTION("one whose parent was removed since") {
    NotesSyncs files;
    CHECK(files.make_directories(topic + "/0") == 0);
    std::filesystem::remove_all(topic);
    CHECK(files.make_directories(topic + "/0") == 0);
    CHECK(files.synced == Paths{root, topics, topic, root, topics, topic});
  }
  SECTION("one with something in it is") {
    std::filesystem::create_directories(topic + "/0");
    std::ofstream(topic + "/0/1.log") << "made when it was durable";
    NotesSyncs files;
    CHECK(files.make_directories(topic + "/0") == 0);
    CHECK(files.synced.empty());
  }
}

}  // namespace ringway::test::storage_engine_test
