#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "storage/file_system.hpp"
#include "storage/write_engine.hpp"
#include "support/fault_plan.hpp"

namespace ringway::test {

/// A disk of one directory in memory that remembers what was synced. power_cut() keeps that and any
/// subset of the sectors written since; kill() keeps all completed writes and any subset of those
/// under way. Batches complete when they are reaped. Single threaded.
class ModelDisk final : public storage::FileSystem, public storage::WriteEngine {
 public:
  explicit ModelDisk(std::uint64_t seed) : random_(seed) {}

  /// As FaultPlan has them.
  void fail(Call call, int nth, int error, bool lasting = false) {
    faults_.fail(call, nth, error, lasting);
  }
  void heal() { faults_.heal(); }
  int failures() const { return faults_.failures(); }
  int calls(Call call) const { return faults_.calls(call); }
  std::uint64_t capacity = ~std::uint64_t{0};
  /// Whoever is refused something does nothing any more, as if dead.
  bool is_last_refusal = false;

  void power_cut() {
    names_ = name_history_[below(name_history_.size())];
    name_history_ = {names_};
    for (auto& [name, inode] : names_) {
      std::vector<std::byte> bytes = inode->durable;
      if (coin()) bytes.resize(std::max(bytes.size(), inode->now.size()));
      for (const Write& write : inode->unsynced) apply_some(bytes, write);
      for (const Pending& pending : pending_) {
        if (pending.inode == inode) {
          for (const Write& write : pending.writes) apply_some(bytes, write);
        }
      }
      inode->now = inode->durable = std::move(bytes);
      inode->unsynced.clear();
    }
    forget_process();
  }

  void kill() {
    for (const Pending& pending : pending_) {
      for (const Write& write : pending.writes) {
        apply_some(pending.inode->now, write);
        pending.inode->unsynced.push_back(write);
      }
    }
    forget_process();
  }

  /// As if all that is there had been so for long.
  void make_all_durable() {
    name_history_ = {names_};
    for (auto& [name, inode] : names_) {
      inode->durable = inode->now;
      inode->unsynced.clear();
    }
  }

  /// Who writes next has to make it again. Nothing is in it yet.
  void remove_directory() { directory_ = false; }

  std::vector<std::byte>& bytes(const std::string& path) { return names_.at(path)->now; }
  bool exists(const std::string& path) const { return names_.count(path) > 0; }

  // FileSystem

  int open(const std::string& path, storage::OpenMode mode) noexcept override {
    if (const int error = fault(Call::open)) return error;
    auto found = names_.find(path);
    if (found == names_.end()) {
      if (mode != storage::OpenMode::create && mode != storage::OpenMode::create_direct) {
        return -ENOENT;
      }
      if (!directory_) return -ENOENT;
      found = names_.emplace(path, std::make_shared<Inode>()).first;
      name_history_.push_back(names_);
    }
    open_[++last_descriptor_] = found->second;
    return last_descriptor_;
  }
  void close(int descriptor) noexcept override { open_.erase(descriptor); }
  std::size_t open_files() const noexcept { return open_.size(); }
  bool is_direct(int) noexcept override { return true; }
  std::int64_t read(int descriptor, std::span<std::byte> into,
                    std::uint64_t file_pos) noexcept override {
    if (const int error = fault(Call::read)) return error;
    const auto& now = open_.at(descriptor)->now;
    if (file_pos >= now.size()) return 0;
    const auto got = std::min<std::uint64_t>(into.size(), now.size() - file_pos);
    std::memcpy(into.data(), now.data() + file_pos, got);
    return static_cast<std::int64_t>(got);
  }
  int write(int descriptor, std::span<const std::byte> bytes,
            std::uint64_t file_pos) noexcept override {
    if (const int error = fault(Call::write)) return error;
    const Write write{file_pos, {bytes.begin(), bytes.end()}};
    Inode& inode = *open_.at(descriptor);
    apply(inode.now, write);
    inode.unsynced.push_back(write);
    return 0;
  }
  int sync(int descriptor) noexcept override {
    if (const int error = fault(Call::sync)) return error;
    make_durable(*open_.at(descriptor));
    return 0;
  }
  std::int64_t size(int descriptor) noexcept override {
    return static_cast<std::int64_t>(open_.at(descriptor)->now.size());
  }
  int reserve(int descriptor, std::uint64_t bytes) noexcept override {
    if (const int error = fault(Call::reserve)) return error;
    auto& now = open_.at(descriptor)->now;
    std::uint64_t used = 0;
    for (const auto& [name, inode] : names_) used += inode->now.size();
    if (bytes > now.size() && used + bytes - now.size() > capacity) return -ENOSPC;
    now.resize(std::max<std::uint64_t>(now.size(), bytes));
    return 0;
  }
  int truncate(int descriptor, std::uint64_t bytes) noexcept override {
    if (const int error = fault(Call::truncate)) return error;
    open_.at(descriptor)->now.resize(bytes);
    return 0;
  }
  int link(const std::string& from, const std::string& to) noexcept override {
    if (const int error = fault(Call::link)) return error;
    if (!exists(from)) return -ENOENT;
    if (!names_.emplace(to, names_.at(from)).second) return -EEXIST;
    name_history_.push_back(names_);
    return 0;
  }
  int rename(const std::string& from, const std::string& to) noexcept override {
    if (const int error = fault(Call::rename)) return error;
    if (!exists(from)) return -ENOENT;
    names_[to] = names_.at(from);
    names_.erase(from);
    name_history_.push_back(names_);
    return 0;
  }
  int remove(const std::string& path) noexcept override {
    if (const int error = fault(Call::remove)) return error;
    if (names_.erase(path) == 0) return -ENOENT;
    name_history_.push_back(names_);
    return 0;
  }
  int sync_directory(const std::string&) noexcept override {
    if (const int error = fault(Call::sync_directory)) return error;
    if (!directory_) return -ENOENT;
    name_history_ = {names_};
    return 0;
  }
  int make_directories(const std::string&) noexcept override {
    if (const int error = fault(Call::make_directories)) return error;
    directory_ = true;
    return 0;
  }
  int list(const std::string& path, std::vector<std::string>& names) noexcept override {
    if (const int error = fault(Call::list)) return error;
    if (!directory_) return -ENOENT;
    for (const auto& [name, inode] : names_) names.push_back(name.substr(path.size() + 1));
    return 0;
  }

  // WriteEngine

  std::string_view name() const noexcept override { return "model"; }
  void submit_writes(int descriptor, std::span<const storage::WritePiece> pieces,
                     std::uint64_t token) noexcept override {
    Pending pending{token, open_.at(descriptor), {}, 0, fault(Call::batch_write), false, {}, {}};
    for (const auto& piece : pieces) {
      pending.writes.push_back(
          {piece.file_pos, {piece.memory, piece.memory + piece.bytes}, ++writes_begun_});
    }
    pending_.push_back(std::move(pending));
  }
  void submit_sync(int descriptor, std::uint64_t token) noexcept override {
    auto inode = open_.at(descriptor);
    const std::size_t unsynced = inode->unsynced.size();
    const int error = fault(Call::batch_sync);
    pending_.push_back({token, std::move(inode), {}, unsynced, error, true, {}, {}});
  }
  void submit_synced_writes(int descriptor, std::span<const storage::WritePiece> pieces,
                            std::uint64_t token, std::uint64_t sync_token) noexcept override {
    submit_writes(descriptor, pieces, token);
    pending_.back().sync_token = sync_token;
  }
  /// Completes one thing under way, any of them.
  std::size_t reap(std::span<storage::Completion> out, std::chrono::nanoseconds) noexcept override {
    if (pending_.empty() || out.empty()) return 0;
    const auto chosen = pending_.begin() + static_cast<std::ptrdiff_t>(below(pending_.size()));
    const Pending done = std::move(*chosen);
    pending_.erase(chosen);
    Inode& inode = *done.inode;
    for (const Write& write : done.writes) {
      if (done.error < 0 && coin()) continue;
      if (done.error < 0) {
        apply_some(inode.now, write);
      } else {
        apply(inode.now, write);
      }
      inode.unsynced.push_back(write);
    }
    if (done.sync && done.error < 0) inode.unsynced.clear();  // clean pages that never got there
    if (done.sync && done.error == 0 && done.writes_alone) {
      make_durable(inode, *done.writes_alone);
    } else if (done.sync && done.error == 0) {
      make_durable(inode, done.unsynced);
    }
    out[0] = {done.token, done.error};
    if (done.sync_token && done.error < 0) {
      pending_.push_back({*done.sync_token, done.inode, {}, 0, -ECANCELED, false, {}, {}});
    } else if (done.sync_token) {
      const int error = fault(Call::batch_sync);
      pending_.push_back({*done.sync_token, done.inode, {}, 0, error, true, {}, done.writes});
    }
    return 1;
  }
  std::size_t under_way() const noexcept override { return pending_.size(); }
  int event_descriptor() const noexcept override { return -1; }

 private:
  static constexpr std::size_t kSector = 512;
  struct Write {
    std::uint64_t file_pos;
    std::vector<std::byte> bytes;
    std::uint64_t number = 0;  ///< they are begun in this order
  };
  struct Inode {
    std::vector<std::byte> now;
    std::vector<std::byte> durable;
    std::vector<Write> unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Pending {
    std::uint64_t token;
    std::shared_ptr<Inode> inode;
    std::vector<Write> writes;
    std::size_t unsynced;
    int error;
    bool sync;
    std::optional<std::uint64_t> sync_token;  ///< of a sync that begins when this is written
    std::optional<std::vector<Write>> writes_alone;  ///< of such a sync: what it covers
  };

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  bool coin() { return (random_() & 1) != 0; }
  int fault(Call call) {
    if (is_last_refusal && faults_.failures() > 0) return -EIO;
    return faults_.count(call);
  }
  static void apply(std::vector<std::byte>& bytes, const Write& write) {
    bytes.resize(std::max<std::size_t>(bytes.size(), write.file_pos + write.bytes.size()));
    std::copy(write.bytes.begin(), write.bytes.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(write.file_pos));
  }
  void apply_some(std::vector<std::byte>& bytes, const Write& write) {
    const std::size_t mode = below(4);  // all, nothing, or sectors as they come
    for (std::size_t done = 0; done < write.bytes.size(); done += kSector) {
      if (mode == 0 || (mode > 1 && coin())) continue;
      const std::size_t until = std::min(write.bytes.size(), done + kSector);
      apply(bytes, {write.file_pos + done,
                    {write.bytes.begin() + static_cast<std::ptrdiff_t>(done),
                     write.bytes.begin() + static_cast<std::ptrdiff_t>(until)}});
    }
  }
  static void make_durable(Inode& inode, std::size_t writes) {
    inode.durable.resize(inode.now.size());
    writes = std::min(writes, inode.unsynced.size());
    for (std::size_t i = 0; i < writes; ++i) apply(inode.durable, inode.unsynced[i]);
    inode.unsynced.erase(inode.unsynced.begin(),
                         inode.unsynced.begin() + static_cast<std::ptrdiff_t>(writes));
  }
  /// Nothing else: what was written before and is not durable is as it was.
  static void make_durable(Inode& inode, const std::vector<Write>& writes) {
    for (const Write& write : writes) {
      apply(inode.durable, write);
      std::erase_if(inode.unsynced, [&](const Write& other) {
        return other.number <= write.number && other.file_pos >= write.file_pos &&
               other.file_pos + other.bytes.size() <= write.file_pos + write.bytes.size();
      });
    }
  }
  static void make_durable(Inode& inode) { make_durable(inode, inode.unsynced.size()); }
  void forget_process() {
    pending_.clear();
    faults_.heal();
    open_.clear();
  }

  std::mt19937_64 random_;
  Names names_;
  std::vector<Names> name_history_{{}};  // states since the directory was synced, oldest first
  std::map<int, std::shared_ptr<Inode>> open_;
  int last_descriptor_ = 100;
  std::uint64_t writes_begun_ = 0;
  std::vector<Pending> pending_;
  FaultPlan faults_;
  bool directory_ = true;
};

}  // namespace ringway::test
