#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringway::proof {

/// As its entry shows it.
struct SystemCall {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

/// The bus's shared memory as a traced process has it mapped: read-only, so that each store to it
/// shows before it happens, as a fault of which the process never hears. Others, who have mappings
/// of their own, notice nothing. Memory that the process has made itself is guarded from when it
/// passes descriptors on: until then nobody else sees it, nor ever will when the process dies. A
/// thread of the process that stands is made to call mprotect() for it. Used by the tracing thread.
class GuardedMemory {
 public:
  /// Guards what is mapped; all of the process stands, `thread` of it too.
  GuardedMemory(pid_t pid, pid_t thread);

  /// To be told of each thread that stands behind a system call: mappings come and go.
  void behind(pid_t thread, const SystemCall& call, std::int64_t result);

  /// Whether the thread, which stands at a SIGSEGV, was about to store to guarded memory.
  bool is_stored_to_by(pid_t thread) const { return stored_to_by(thread) != mappings_.end(); }
  /// Has it store, and stand behind that instruction; of one that repeats itself, behind one turn.
  /// What other threads store meanwhile to the same mapping is not seen. False: the thread is gone,
  /// and still to be waited for.
  bool let_through(pid_t thread);
  /// Where its next instruction lies in the file that it comes from; the same in every process.
  std::uint64_t place_of(pid_t thread);

 private:
  struct Mapping {
    std::uint64_t end;
    bool guarded;
  };
  using Mappings = std::map<std::uint64_t, Mapping>;  // by where they begin
  struct Code {
    std::uint64_t begin, end, offset;
  };

  void look(pid_t thread);
  void look_at_code();
  void guard(pid_t thread, Mappings::value_type& mapping);
  void forget(std::uint64_t begin, std::uint64_t bytes);
  Mappings::const_iterator stored_to_by(pid_t thread) const;
  bool protect(pid_t thread, const Mappings::value_type& mapping, int protection);
  int step(pid_t thread);
  void send_held(pid_t thread);

  pid_t pid_;
  std::uint64_t system_call_ = 0;  // an instruction that makes one
  std::vector<Code> code_;
  Mappings mappings_;
  std::set<std::string> own_;  // memory files that nobody else has yet
  std::vector<int> held_;      // signals that came at a bad moment
};

}  // namespace ringway::proof
