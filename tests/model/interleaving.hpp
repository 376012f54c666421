#pragma once

// Every interleaving of shipped code, sequentially consistent. A program is ordinary code over
// Cells; it is unrolled into a tree of operations by running it again and again with the results
// of its operations so far, up to the first one that has no result yet. The trees are small, and a
// state of the whole is memory plus one node for each program.

#include <atomic>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <vector>

namespace ringway::ring::interleaving {

struct Operation {
  enum Kind : std::uint8_t { load, store, cas, choose, done } kind;
  std::uint8_t cell;
  std::uint64_t value;     ///< store, cas: new; choose: how many; done: what the program returned
  std::uint64_t expected;  ///< cas
};

/// The program being run again.
struct Replay {
  const std::vector<std::uint64_t>* results;
  std::size_t used;
  Operation wanted;
  std::jmp_buf stop;
};
inline Replay* replay = nullptr;

/// Result of the next operation: what a load, CAS or choice gives, 0 for a store.
inline std::uint64_t perform(const Operation& operation) {
  if (replay->used < replay->results->size()) return (*replay->results)[replay->used++];
  replay->wanted = operation;
  std::longjmp(replay->stop, 1);
}

/// One of `count` ways.
inline std::uint64_t choose(std::uint64_t count) {
  return perform({Operation::choose, 0, count, 0});
}

/// The shipped code's std::atomic: a cell of the model's memory, or a constant.
class Cell {
 public:
  static constexpr std::uint8_t kConstant = 255;

  std::uint64_t load(std::memory_order) const noexcept {
    return index == kConstant ? constant : perform({Operation::load, index, 0, 0});
  }
  void store(std::uint64_t value, std::memory_order) noexcept {
    perform({Operation::store, index, value, 0});
  }
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t value, std::memory_order,
                               std::memory_order) noexcept {
    const std::uint64_t old = perform({Operation::cas, index, value, expected});
    if (old == expected) return true;
    expected = old;
    return false;
  }
  /// Of retired rings, which are not modelled here.
  void fetch_or(std::uint64_t, std::memory_order) noexcept { std::abort(); }

  std::uint8_t index = kConstant;
  std::uint64_t constant = 0;
};

/// The tree of one program. Node 0 is its start. The program owns nothing: it is left by longjmp.
class Program {
 public:
  explicit Program(std::function<std::uint64_t()> body) : body_(std::move(body)) {
    nodes_.push_back({run({}), 0, 0, {}});
  }

  const Operation& at(std::uint32_t node) const { return nodes_[node].operation; }

  /// The node after the operation of `node` had this result.
  std::uint32_t after(std::uint32_t node, std::uint64_t result) {
    const auto found = nodes_[node].next.find(result);
    if (found != nodes_[node].next.end()) return found->second;
    std::vector<std::uint64_t> results{result};
    for (std::uint32_t i = node; i != 0; i = nodes_[i].parent) results.push_back(nodes_[i].result);
    const std::vector<std::uint64_t> in_order(results.rbegin(), results.rend());
    const Operation operation = run(in_order);
    auto reached = static_cast<std::uint32_t>(nodes_.size());
    const auto end = ends_.find(operation.value);
    if (operation.kind == Operation::done && end != ends_.end()) {
      reached = end->second;  // all ways to one end are one
    } else {
      if (operation.kind == Operation::done) ends_[operation.value] = reached;
      nodes_.push_back({operation, node, result, {}});
    }
    nodes_[node].next[result] = reached;
    return reached;
  }

 private:
  struct Node {
    Operation operation;
    std::uint32_t parent;
    std::uint64_t result;  ///< of the parent's operation
    std::map<std::uint64_t, std::uint32_t> next;
  };

  Operation run(const std::vector<std::uint64_t>& results) const {
    Replay here{&results, 0, {}, {}};
    replay = &here;
    if (setjmp(here.stop) == 0) {
      const std::uint64_t value = body_();
      here.wanted = {Operation::done, 0, value, 0};
    }
    return here.wanted;
  }

  std::function<std::uint64_t()> body_;
  std::vector<Node> nodes_;
  std::map<std::uint64_t, std::uint32_t> ends_;
};

}  // namespace ringway::ring::interleaving
