#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringway::quickstart {

inline constexpr std::uint32_t kProducers = 2;
inline constexpr std::uint32_t kPartitions = 4;

/// What travels in each record's only header: who published it, and how many this producer had
/// published to the partition before it.
struct Mark {
  std::uint32_t producer = 0;
  std::uint64_t sequence = 0;
};

/// A record as it is counted, with its place.
struct Counted {
  Mark mark;
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  std::string_view key;
  std::string_view payload;
};

/// All records of one producer in one partition, in the order in which they were met.
struct Lane {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;     ///< of payloads
  std::uint64_t checksum = 0;  ///< over offset, key and payload of each, in order
  std::uint64_t next = 0;      ///< sequence of the record that should come
  std::uint64_t missing = 0;   ///< passed over
  std::uint64_t doubled = 0;
  std::uint64_t disordered = 0;
  std::uint64_t end_offset = 0;  ///< behind the last record
};

/// What one process published or saw. Trivially copyable: it is sent to the parent as it is.
class Tally {
 public:
  void add(const Counted& record) noexcept;

  const Lane& lane(std::uint32_t producer, std::uint32_t partition) const noexcept {
    return lanes_[producer * kPartitions + partition];
  }
  /// Takes over the lanes that `other`, another producer, filled.
  void merge(const Tally& other) noexcept;

  std::uint64_t records() const noexcept { return sum(&Lane::records); }
  std::uint64_t bytes() const noexcept { return sum(&Lane::bytes); }
  std::uint64_t doubled() const noexcept { return sum(&Lane::doubled); }
  std::uint64_t disordered() const noexcept { return sum(&Lane::disordered); }
  /// Records of `input` that are not here.
  std::uint64_t lost(const Tally& input) const noexcept;
  bool same_checksums(const Tally& input) const noexcept;
  /// Behind the last record of a partition.
  std::uint64_t end_offset(std::uint32_t partition) const noexcept;

 private:
  std::uint64_t sum(std::uint64_t Lane::* count) const noexcept;

  std::array<Lane, kProducers * kPartitions> lanes_{};
};

}  // namespace ringway::quickstart
