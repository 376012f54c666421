#pragma once

// How a model takes one step out of the shipped code, or weakens it, to prove that it would notice.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>

namespace ringway::ring::model {

/// What a model's atomic stands for.
enum class Name : unsigned char {
  unused,
  tail,
  limit,
  anchor,
  announced,
  retired,
  ring_end,
  end_offset,
  void_claims,  ///< how many
  void_claim,   ///< four words each
  boundary,     ///< the position of an entry of the boundary table
  boundary_offset,
  log_gaps,   ///< how many there are on the list of what the log lacks
  log_gap,    ///< three words each
  watermark,  ///< written, durable
  committed,  ///< how far it is known that records are settled
  magic,      ///< of a board: published last
  nonce,
  stamp,
  word,
  length,
  seen,  ///< the tail word in a slot
  mode,
  share_wanted,
  pin,
  sleepers,
  data,  ///< record bytes that are read while they may be written
  seq,
  doorbell,
  death,  ///< proof that a process died: the kernel's, not a word of the protocol
  full_fence,
  write_fence,
  read_fence,
  publisher_fence,
  sleeper_barrier,
  consumers,   ///< those that a wake-up is for
  supervisor,  ///< likewise
};

enum class Op : unsigned char { load, store, exchange, cas, fence, wake };

/// Where an operation stands.
using Where = std::source_location;

/// One operation of the shipped code, as a mutation sees it.
struct Access {
  Name name;
  unsigned index;  ///< which slot, unit or nonce
  Op op;
  std::uint64_t before;  ///< newest value
  std::uint64_t value;   ///< to be stored
  std::memory_order order;
  Where where{};
};

using When = std::function<bool(const Access&)>;

inline When kind(Name name, Op op) {
  return [=](const Access& access) { return access.name == name && access.op == op; };
}
inline When kind(Name name, Op op, std::memory_order order) {
  return [=](const Access& access) {
    return access.name == name && access.op == op && access.order == order;
  };
}

/// An atomic as a mutation may touch it, past all hooks.
class Bare {
 public:
  virtual std::uint64_t load_bare(std::memory_order order) const = 0;
  virtual void store_bare(std::uint64_t value, std::memory_order order) = 0;

 protected:
  ~Bare() = default;
};

/// The shipped code, unchanged. State lasts for one schedule: begin() starts the next.
class Mutation {
 public:
  virtual ~Mutation() = default;
  virtual void begin() {}
  virtual std::memory_order order(const Access& access) { return access.order; }
  virtual bool dropped(const Access&) { return false; }
  virtual void before(const Access&) {}
  virtual std::optional<std::uint64_t> remembered(const Access&) { return {}; }
  virtual void loaded(const Access&, std::uint64_t) {}
  virtual bool held(const Access&, Bare&) { return false; }
  virtual bool torn(const Access&) { return false; }
  virtual void after(const Access&) {}
  virtual void died() {}  ///< the running thread, which made no store that it still held back
};

/// Accesses of one kind take a weaker order.
class Weaken : public Mutation {
 public:
  Weaken(std::memory_order order, When when) : order_(order), when_(std::move(when)) {}
  std::memory_order order(const Access& access) override {
    return when_(access) ? order_ : access.order;
  }

 private:
  std::memory_order order_;
  When when_;
};

/// Stores or fences of one kind do not happen.
class Drop : public Mutation {
 public:
  explicit Drop(When when) : when_(std::move(when)) {}
  bool dropped(const Access& access) override { return when_(access); }

 private:
  When when_;
};

/// Stores of one kind happen later: after the same thread's next access of another kind.
class Delay : public Mutation {
 public:
  Delay(When when, When until) : when_(std::move(when)), until_(std::move(until)) {}
  void begin() override { count_.fill(0); }
  bool held(const Access& access, Bare& bare) override;
  void after(const Access& access) override;

 private:
  struct Store {
    Bare* bare;
    std::uint64_t value;
    std::memory_order order;
  };
  When when_, until_;
  std::array<std::array<Store, 32>, 8> stores_{};
  std::array<std::size_t, 8> count_{};
};

/// Loads of one kind happen earlier: at the same thread's last access of another kind. The first
/// `uses` of them get what was read then, the rest go to memory.
class Early : public Mutation {
 public:
  Early(When at, When what, unsigned uses)
      : at_(std::move(at)), what_(std::move(what)), uses_(uses) {}
  void begin() override { count_.fill(0); }
  void before(const Access& access) override;
  std::optional<std::uint64_t> remembered(const Access& access) override;

 private:
  struct Load {
    Name name;
    unsigned index;
    std::uint64_t value;
    unsigned uses;
  };
  When at_, what_;
  unsigned uses_;
  std::array<std::array<Load, 64>, 8> loads_{};
  std::array<std::size_t, 8> count_{};
};

/// Loads of one kind are not made: they repeat what the same thread last read there.
class Repeat : public Mutation {
 public:
  explicit Repeat(When when) : when_(std::move(when)) {}
  void begin() override { count_.fill(0); }
  std::optional<std::uint64_t> remembered(const Access& access) override;
  void loaded(const Access& access, std::uint64_t value) override;

 private:
  struct Load {
    Name name;
    unsigned index;
    std::uint64_t value;
  };
  When when_;
  std::array<std::array<Load, 64>, 8> loads_{};
  std::array<std::size_t, 8> count_{};
};

}  // namespace ringway::ring::model
