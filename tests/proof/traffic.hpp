#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/shared_with_children.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {

/// Two clients that are there all the time: one publishes numbered records to a topic without
/// waiting for anything, one follows it from its start. Both live through whatever is done to the
/// bus, and complain when they are told something wrong.
class Traffic {
 public:
  Traffic(const std::string& socket, const std::string& topic);

  /// The number in one of its records; nothing of another's.
  static std::optional<std::uint64_t> number_of(std::string_view record);

  /// The last record's that its producer was told is committed.
  std::uint64_t published() const { return told_->published; }
  /// The same, written.
  std::uint64_t written() const { return told_->written; }

  /// Ring and keeper may go at once from now on: what was not written may be missing.
  void memory_may_be_lost() { told_->memory_may_be_lost = true; }

  /// Until both have gone on from now. @throws Violation when they do not, or complained.
  void must_go_on() const;
  /// Until the follower has seen that record, or one behind it. @throws Violation
  void must_see(std::uint64_t number) const;

 private:
  struct Told {
    std::atomic<std::uint64_t> published, written, seen;
    std::atomic<bool> memory_may_be_lost, complained;
    char complaint[200];
  };
  static void complain(Told& told, const std::string& what);
  static void publish(Told& told, const std::string& socket, const std::string& topic);
  static void follow(Told& told, const std::string& socket, const std::string& topic);
  void await(const std::atomic<std::uint64_t>& number, std::uint64_t at_least,
             const char* who) const;

  test::SharedWithChildren<Told> told_;
  ringway::test::Child producer_, follower_;
};

}  // namespace ringway::proof
