#pragma once

// The sweep: every atomic operation of lib/ring that a model meets, and every way to weaken it or
// to leave it out, one at a time.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model/mutation.hpp"

namespace ringway::ring::model {

/// An operation of the shipped code, by where it stands.
struct Site {
  std::string name;  ///< without line numbers: `writer try_claim tail.load`, `… #2` for the second
  std::string file;
  unsigned line;
  unsigned column;
  std::string function;
  Name what;
  Op op;
  std::memory_order order;
  bool again = false;               ///< a thread has read the same word elsewhere before
  std::vector<std::size_t> models;  ///< that meet it
};

/// What a thread last read of a word. Mutations run inside schedules, where memory is the model's:
/// nothing here allocates.
template <class T>
class LastRead {
 public:
  void clear() { count_ = 0; }
  /// Of the access's word by the running thread; nullptr: nothing yet.
  T* find(const Access& access);
  void set(const Access& access, const T& value);
  void forget(T* value);

 private:
  struct Entry {
    unsigned thread;
    Name name;
    unsigned index;
    T value;
  };
  std::array<Entry, 256> entries_;
  std::size_t count_ = 0;
};

/// Notes the sites that a model meets.
class Survey final : public Mutation {
 public:
  void begin() override { last_read_.clear(); }
  void before(const Access& access) override;

  /// The model whose schedules come next.
  void next_model(std::size_t model) { model_ = model; }
  /// In the order of the source.
  std::vector<Site> sites() const;

 private:
  struct Met {
    Access access;
    bool again;
    std::uint64_t models;  ///< a bit each
  };
  std::size_t model_ = 0;
  std::array<Met, 256> met_;
  std::size_t count_ = 0;
  LastRead<const Met*> last_read_;
};

enum class Change : unsigned char {
  weaker,    ///< takes a weaker order
  dropped,   ///< is not made
  late,      ///< a store changes places with the thread's next one
  repeated,  ///< a load gives what the thread read at another site before, once
  torn,      ///< a compare-and-swap that others can get between
};

/// One change at one site.
struct Mutant {
  const Site* site;
  Change change;
  std::memory_order order;  ///< weaker: this one

  std::string change_name() const;
  std::string name() const { return site->name + ' ' + change_name(); }
};

/// All that make sense.
std::vector<Mutant> mutants_of(const std::vector<Site>& sites);

/// One mutant at work.
class SweptMutation final : public Mutation {
 public:
  explicit SweptMutation(const Mutant& mutant) : mutant_(mutant) {}

  void begin() override;
  std::memory_order order(const Access& access) override;
  bool dropped(const Access& access) override;
  bool torn(const Access& access) override;
  std::optional<std::uint64_t> remembered(const Access& access) override;
  void loaded(const Access& access, std::uint64_t value) override;
  bool held(const Access& access, Bare& bare) override;
  void after(const Access& access) override;
  void died() override;

 private:
  bool here(const Access& access) const;

  struct Store {
    Bare* bare;
    std::uint64_t value;
    std::memory_order order;
  };
  const Mutant& mutant_;
  LastRead<std::uint64_t> read_;
  std::array<std::optional<Store>, 8> held_{};
};

}  // namespace ringway::ring::model
