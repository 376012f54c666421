#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ringway/consumer.hpp"
#include "tools/offset_range.hpp"

namespace ringway::cli {

/// Where one partition is to be read from and where that ends, resolved when the command began.
struct PartitionSpan {
  std::uint32_t partition = 0;
  std::uint64_t from = 0;                     ///< records before it are passed over
  std::optional<std::uint64_t> to = {};       ///< first offset that is not wanted any more
  std::optional<std::int64_t> until_ns = {};  ///< `to` is the first record at or after this time
};

/// The spans of all partitions that a consumer reads, and how far it is with them. Owned by one
/// verb, used by one thread; the consumer outlives it.
class ReadingSpan {
 public:
  enum class AtEnd : unsigned char {
    wait,  ///< for what is still to come
    end,   ///< once everything committed by now was seen
  };

  explicit ReadingSpan(Consumer& consumer) : consumer_(consumer), spans_(consumer.partitions()) {}

  /// Places the consumer at the range's beginning in each partition of which `kept` says false (a
  /// named cursor goes on where it was). Says on standard error what of a wanted range is not
  /// there. Throws Error when a place cannot be looked up.
  void start(const std::string& topic, const OffsetRange& range, const std::vector<bool>& kept,
             AtEnd at_end);

  /// Whether the record lies in its partition's span; ends the span at its first record that was
  /// published at or after its last time.
  bool wants(const RecordView& record);
  /// Whether every span that ends has been read to its end. False when none ends.
  bool finished(std::int64_t now_ns);

 private:
  PartitionSpan resolve(std::uint32_t partition, const OffsetRange& range) const;
  std::uint64_t resolve(std::uint32_t partition, const Place& place) const;
  void place(const std::string& topic, const PartitionSpan& span, const Place& from);

  Consumer& consumer_;
  std::vector<PartitionSpan> spans_;                      // by partition
  std::vector<std::optional<std::uint64_t>> read_up_to_;  // by partition, for AtEnd::end
  std::vector<std::uint32_t> open_;                       // not read to their end
  bool ends_ = false;
};

}  // namespace ringway::cli
