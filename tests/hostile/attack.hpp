#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "process/raw_client.hpp"
#include "shm/descriptor.hpp"

namespace ringway::test {

/// What an attacker is told: its arguments behind the name of the attack.
using Arguments = std::vector<std::string>;

/// A line of the attacker's report: NAME and whatever is to be known of it. The test reads them
/// all.
void tell(const std::string& name, const std::string& what);
/// What the kernel said to something that it must not let happen: "ALLOWED"; "refused", with the
/// errno's name, when that is one of `reasons`; else "missed", as another errno says nothing of
/// rights.
void tell_refusal(const std::string& name, bool happened,
                  std::initializer_list<int> reasons = {EPERM, EACCES});
/// Lives until the test has looked.
void wait_for_end_of_input();

/// A topic as its handle opens it, all four descriptors in hand and none of the library's manners.
struct Loot {
  Loot(const std::string& socket, const std::string& topic, layout::Role role);

  RawClient client;
  control::Opened opened;
  std::map<std::string, shm::Descriptor> files;  ///< "board", "ring", "bell", "session"

  std::uint64_t bytes(const std::string& file) const;
};

layout::Role role_of(const std::string& word);

/// How long an attack goes on: so many milliseconds from now.
class Span {
 public:
  explicit Span(const std::string& ms)
      : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(std::stoull(ms))) {}
  bool over() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  std::chrono::steady_clock::time_point end_;
};

// memory_attacks.cpp
void scribble(const Arguments& arguments);   // SOCKET TOPIC ROLE SEED MS TARGET…
void punch(const Arguments& arguments);      // SOCKET TOPIC TARGET…, once its input ends
void put_back(const Arguments& arguments);   // SOCKET TOPIC: tail to an earlier place
void unstamp(const Arguments& arguments);    // SOCKET TOPIC BYTES: erases the record that begins so
                                             // far before the end
void hang_up(const Arguments& arguments);    // SOCKET TOPIC RECORDS
void fork_away(const Arguments& arguments);  // SOCKET TOPIC RECORDS
void pin_ahead(const Arguments& arguments);  // SOCKET TOPIC: holds what nobody claimed yet
void no_length(const Arguments& arguments);  // SOCKET TOPIC: owns a claim of no bytes, and dies

// descriptor_attacks.cpp
void tamper(const Arguments& arguments);   // SOCKET TOPIC ROLE
void tamper_with_own(const Arguments&);    // with memory that nobody sealed: all of it happens
void lend(const Arguments& arguments);     // SOCKET TOPIC ROLE PATH
void receive(const Arguments& arguments);  // PATH
void rob(const Arguments& arguments);      // PID: of another user; or "own": of its own child

// message_attacks.cpp
void rave(const Arguments& arguments);      // SOCKET TOPIC SEED MS
void flood(const Arguments& arguments);     // SOCKET MS
void churn(const Arguments& arguments);     // SOCKET TOPIC MS TIMES
void linger(const Arguments& arguments);    // SOCKET
void dress_up(const Arguments& arguments);  // SOCKET NAME
void slander(const Arguments& arguments);   // SOCKET UUID: says that its log cannot be read

// stranger_attacks.cpp
void guess(const Arguments& arguments);         // SOCKET KEEPER_SOCKET STATE_DIR TOPIC UUID
void guess_keeper(const Arguments& arguments);  // KEEPER_SOCKET STATE_DIR TOPIC

}  // namespace ringway::test
