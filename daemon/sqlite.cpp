#include "daemon/sqlite.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;
/// Emptied into the database behind half of its space, so that a large change fits behind that.
constexpr off_t kJournalBytes = 1024 * 1024;
constexpr int kCheckpointPages = 128;
/// In such steps the database grows, and this much of it is always ahead: all of a checkpoint's
/// pages may be new ones.
constexpr int kGrowthBytes = kCheckpointPages * 4096;
constexpr off_t kJournalHeaderBytes = 32;

[[noreturn]] void refuse(sqlite3* database, const std::string& thing, int result) {
  const std::string reason =
      database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(result);
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(ErrorCode::failed, thing, fmt::format("the catalog is damaged ({})", reason),
                  "nothing was changed; restore the file from a backup, or move it and topics/ "
                  "aside to start without any topic");
    case SQLITE_BUSY:
      throw Error(ErrorCode::busy, thing, "another process holds the catalog locked",
                  "close whatever else has the file open");
    case SQLITE_FULL:
      throw Error(ErrorCode::failed, thing, "the disk is full", "make room, then try again");
    default:
      const std::string fix = database != nullptr ? fix_of(sqlite3_system_errno(database)) : "";
      throw Error(ErrorCode::failed, thing, fmt::format("the catalog cannot be used: {}", reason),
                  fix.empty() ? "see to the rights to its directory, and to the disk" : fix);
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

void Statement::check(int result) const {
  if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE) {
    refuse(database_, thing_, result);
  }
}

Statement& Statement::bind(int position, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), position, value));
  return *this;
}

Statement& Statement::bind(int position, std::uint64_t value) {
  return bind(position, static_cast<std::int64_t>(value));
}

Statement& Statement::bind(int position, std::string_view value) {
  check(sqlite3_bind_text(statement_.get(), position, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT));
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_.get());
  check(result);
  return result == SQLITE_ROW;
}

void Statement::reset() {
  check(sqlite3_reset(statement_.get()));
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::uint64_t Statement::unsigned_integer(int column) const {
  return static_cast<std::uint64_t>(integer(column));
}

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  const int count = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr
             ? std::string()
             : std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
}

void Database::Close::operator()(sqlite3* database) const noexcept {
  sqlite3_close_v2(database);
}

Database::Database(const std::filesystem::path& file) : thing_(file.string()) {
  {
    // Made here so that its mode, which the journal files inherit, does not hang on the umask.
    const shm::Descriptor made(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!made) throw system_error(errno, thing_, "the catalog cannot be opened");
  }
  sqlite3* database = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  database_.reset(database);
  if (result != SQLITE_OK) refuse(database, thing_, result);
  sqlite3_extended_result_codes(database, 0);
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
}

/// The journal's space outlives an orderly end, too: the next start may find the disk full. Its
/// content does not, or it would be taken for that of a database put in this one's place.
Database::~Database() {
  const bool emptied =
      sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_RESTART, nullptr,
                                nullptr) == SQLITE_OK;
  database_.reset();
  const shm::Descriptor journal(::open(journal_file().c_str(), O_RDWR | O_CLOEXEC));
  if (!emptied || !journal) return;
  constexpr char kNoHeader[kJournalHeaderBytes] = {};
  if (::pwrite(journal.get(), kNoHeader, sizeof kNoHeader, 0) > 0) ::fdatasync(journal.get());
}

void Database::reserve_space() noexcept {
  sqlite3_wal_autocheckpoint(database_.get(), kCheckpointPages);
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  const shm::Descriptor journal(::open(journal_file().c_str(), O_RDWR | O_CLOEXEC));
  if (!journal || ::posix_fallocate(journal.get(), 0, kJournalBytes) != 0) return;

  // A journal that cannot be emptied into the database uses its own space up.
  try {
    auto size = prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    size.step();
    int step = kGrowthBytes;
    sqlite3_int64 wanted = size.integer(0) + kGrowthBytes;
    sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_CHUNK_SIZE, &step);
    sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_SIZE_HINT, &wanted);
  } catch (const Error&) {
    // Who uses the database next is told what is wrong with it.
  }
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                        &statement, nullptr);
  if (result != SQLITE_OK) refuse(database_.get(), thing_, result);
  return {database_.get(), thing_, statement};
}

void Database::execute(const char* sql) {
  const int result = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) refuse(database_.get(), thing_, result);
}

std::int64_t Database::changes() const noexcept {
  return sqlite3_changes(database_.get());
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {
    // SQLite has rolled back by itself, or will when the file is opened next.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace ringway::daemon::sqlite
