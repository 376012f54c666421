#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/status_trouble.hpp"
#include "daemon/descriptor_store.hpp"
#include "daemon/event_log.hpp"

namespace ringway::daemon {

/// The supervisor's side of the descriptor store: knows what it has put there, so that a store that
/// died can be replaced at once. Control thread only. The descriptors are their owners' and must
/// stay open until dropped here.
class Keepsakes {
 public:
  using Open = std::function<std::unique_ptr<DescriptorStore>()>;

  Keepsakes(Open open, const EventLog& log) : open_(std::move(open)), log_(log), store_(open_()) {}
  /// A store in which nothing is, and was nothing, ends with its supervisor, also one that fails
  /// to start: or a keeper would be left behind that nobody needs.
  ~Keepsakes();
  Keepsakes(const Keepsakes&) = delete;
  Keepsakes& operator=(const Keepsakes&) = delete;

  /// When it returns, `fd` survives this process: only now may it reach a client.
  void put(const std::string& name, nlohmann::json meta, int fd);
  void drop(const std::string& name) noexcept;
  /// While the keeper stands still: what needs it is refused at once, until it answers or has died.
  std::optional<control::StatusTrouble> trouble() const;
  /// Whether it stood still, and lives; without waiting for it. What it owed is made up for where
  /// it answers again.
  bool look_again() noexcept;
  /// What predecessors left stays there as it is for the next supervisor, whatever is dropped.
  void hold(const std::map<std::string, KeptDescriptor>& kept);
  /// Of that what is nobody's any more, and goes.
  void hold_no_longer(const std::string& name) noexcept;
  bool holds(const std::string& name) const { return held_.contains(name); }
  /// What predecessors left. Of that keep_on() says what is wanted, the rest must be dropped.
  std::vector<KeptDescriptor> list();
  /// put() of what list() gave as `listed`: a store that has it already is not asked.
  void keep_on(const KeptDescriptor& listed, nlohmann::json meta, int fd);
  /// Orderly stop.
  void end() noexcept;

  /// Readable when the store has died, or answers late; -1: it cannot die. Changes with every
  /// replace().
  int death_fd() const noexcept { return store_->death_fd(); }
  /// A new store with everything in it.
  void replace();
  /// The keeper's process; 0: another kind of store.
  int pid() const noexcept;
  std::string_view kind() const noexcept { return store_->kind(); }

 private:
  struct Kept {
    nlohmann::json meta;
    int fd;
  };
  bool is_silence(const Error& error) const noexcept;
  void note_silence(const std::string& name);
  void settle();

  Open open_;
  const EventLog& log_;
  std::unique_ptr<DescriptorStore> store_;
  bool store_has_listed_ = false;  ///< it is the one that was asked for its list
  bool found_nothing_ = false;     ///< in it; nor was it told to end since
  bool death_told_ = false;        ///< and not replaced since
  std::map<std::string, Kept> kept_;
  std::set<std::string> unsettled_;  ///< names of which the keeper was told, and did not answer
  std::map<std::string, KeptDescriptor> held_;
};

}  // namespace ringway::daemon
