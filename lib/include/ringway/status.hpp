#pragma once

#include <string_view>

namespace [[gnu::visibility("default")]] ringway {

/// The outcome of every call on the hot path. Each comment tells the caller what to do.
enum class [[nodiscard]] Status : unsigned char {
  ok = 0,          ///< Done.
  back_pressured,  ///< The ring is full: wait or try again; `Producer::why()` names who holds it.
  timeout,         ///< The given time passed first; nothing was done; call again if still wanted.
  interrupted,     ///< `interrupt()` was called; nothing was done; call again if still wanted.
  too_large,       ///< Larger than the topic allows; split the record or enlarge the ring.
  beyond_end,      ///< The wanted offset does not exist yet; seek to `end()` or below.
  not_found,       ///< Not there (any more): taken by retention or lost from memory, where the
                   ///< gap says how much; no such partition or level; commit() without a cursor.
  lapped,          ///< Overwritten before it was read (overwriting topics only); a gap was counted.
  fenced,          ///< The claim was taken away while this producer stood still; not published.
  quarantined,     ///< The ring's content is corrupt; it takes no more until it has a new ring. Or
                   ///< some of it was lost to this process: lost_pages.hpp.
  corrupt,         ///< Stored bytes do not verify, or their file is gone; the hole is of known
                   ///< size: seek behind it.
  disconnected,    ///< No supervisor answers and this needs one; the library goes on trying.
  closed,          ///< The topic was deleted or the handle was closed; drop the handle.
  forked,          ///< This handle belongs to the parent process; open one in the child.
  no_descriptors,  ///< The limit of open files leaves this process none for what this needs, a file
                   ///< of the log or a new ring: raise it (ulimit -n) or close some; call again.
};

/// The enumerator's own name, e.g. "back_pressured". Static storage.
constexpr std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::back_pressured:
      return "back_pressured";
    case Status::timeout:
      return "timeout";
    case Status::interrupted:
      return "interrupted";
    case Status::too_large:
      return "too_large";
    case Status::beyond_end:
      return "beyond_end";
    case Status::not_found:
      return "not_found";
    case Status::lapped:
      return "lapped";
    case Status::fenced:
      return "fenced";
    case Status::quarantined:
      return "quarantined";
    case Status::corrupt:
      return "corrupt";
    case Status::disconnected:
      return "disconnected";
    case Status::closed:
      return "closed";
    case Status::forked:
      return "forked";
    case Status::no_descriptors:
      return "no_descriptors";
  }
  return "unknown";
}

}  // namespace ringway
