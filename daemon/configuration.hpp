#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/config.hpp"

namespace ringway::daemon {

class Value;
struct Key;

/// Whose names this host must know. A start cannot do without those under `create`; of those that
/// have rights to topics it uses what is known.
enum class MustExist { nobody, creators, everybody };

/// A Config, and where each of its values comes from. Whatever is read later counts: the file, then
/// the environment, then the command line. Every value that cannot be used is an Error(usage) that
/// names where it stands, key, rule, and the nearest known key.
class Configuration {
 public:
  /// A value as TOML, and "FILE:LINE", a variable (also one that the value only follows from, as
  /// state_dir does from STATE_DIRECTORY), an option or "default".
  struct Origin {
    std::string value;
    std::string where;
  };

  explicit Configuration(MustExist who = MustExist::nobody) : who_(who) {}

  /// A TOML file that must be there: a regular one, of at most 1 MiB.
  void read_file(const std::filesystem::path& file);
  /// The same from text; `name` stands for the file in errors.
  void read_text(std::string_view text, const std::string& name);
  /// RINGWAYD_KEY of every key, as TOML, or as text where it is none; RINGWAYD_TOPICS is a table of
  /// rights to topics: each right that it names goes over that of the file.
  void read_environment(const char* const* variables);
  /// One value that stands at `where`.
  void set(std::string_view key, std::string_view value, const std::string& where);
  /// The same of a string, as it is.
  void set_string(std::string_view key, const std::string& value, const std::string& where);
  /// Config::complete(). Nothing is read afterwards.
  void complete();

  const Config& config() const noexcept { return config_; }
  /// By dotted key; of keys that nobody set their default. Complete after complete().
  const std::map<std::string, Origin>& origins() const noexcept { return origins_; }
  /// Of the file that was read; else empty.
  const std::filesystem::path& file() const noexcept { return file_; }
  /// Variables that begin like those of keys and are none, and what may have been meant.
  const std::map<std::string, std::string>& unknown_variables() const noexcept { return unknown_; }
  /// All of it as a TOML file with the origins as comments.
  std::string text() const;

 private:
  void read(const Key& key, const Value& value);
  void read_topics(const Value& topics);
  void check_accounts(const Value& names) const;

  MustExist who_;
  Config config_;
  std::filesystem::path file_;
  std::map<std::string, std::string> unknown_;
  std::map<std::string, Origin> origins_;
};

/// The file that is read when none is named: that of $RINGWAYD_CONFIG (empty: none); else, if it is
/// there, ringwayd.toml in config_directory().
std::optional<std::filesystem::path> default_config_file();

}  // namespace ringway::daemon
