#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace ringway::daemon::sqlite {

/// A prepared statement. Bind by position from 1, then step() until false; columns count from 0.
/// Must not outlive its Database. Every call throws Error naming the database file.
class Statement {
 public:
  Statement& bind(int position, std::int64_t value);
  Statement& bind(int position, std::uint64_t value);  ///< stored as its two's complement
  Statement& bind(int position, std::string_view value);
  bool step();  ///< true: a row is there
  void reset();

  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3* database, std::string thing, sqlite3_stmt* statement)
      : database_(database), thing_(std::move(thing)), statement_(statement) {}
  void check(int result) const;

  sqlite3* database_;
  std::string thing_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// An open database file, made with mode 0600 if missing. One thread.
class Database {
 public:
  explicit Database(const std::filesystem::path& file);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Gives the write-ahead journal its disk space now and for good, and the database half a MiB to
  /// grow into, so that small changes go through when the disk is full. The journal must be in use.
  /// Without effect on a disk that is full now. Again when the database has grown.
  void reserve_space() noexcept;

  Statement prepare(std::string_view sql);
  void execute(const char* sql);  ///< any number of statements without results
  std::int64_t changes() const noexcept;
  const std::string& thing() const noexcept { return thing_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept;
  };
  std::string journal_file() const { return thing_ + "-wal"; }

  std::string thing_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// Rolls back unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace ringway::daemon::sqlite
