#include "tools/quickstart_run/tally.hpp"

#include <xxhash.h>

#include <algorithm>

namespace ringway::quickstart {

void Tally::add(const Counted& record) noexcept {
  Lane& lane = lanes_[record.mark.producer * kPartitions + record.partition];
  ++lane.records;
  lane.bytes += record.payload.size();
  // Each hash is the seed of the next, so that the order counts.
  lane.checksum =
      XXH3_64bits_withSeed(record.key.data(), record.key.size(), lane.checksum ^ record.offset);
  lane.checksum = XXH3_64bits_withSeed(record.payload.data(), record.payload.size(), lane.checksum);

  const std::uint64_t sequence = record.mark.sequence;
  if (sequence >= lane.next) {
    lane.missing += sequence - lane.next;
    lane.next = sequence + 1;
  } else if (lane.missing != 0) {
    --lane.missing;
    ++lane.disordered;
  } else {
    ++lane.doubled;
  }
  lane.disordered += record.offset < lane.end_offset;
  lane.end_offset = record.offset + 1;
}

void Tally::merge(const Tally& other) noexcept {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (other.lanes_[i].records != 0) lanes_[i] = other.lanes_[i];
  }
}

std::uint64_t Tally::lost(const Tally& input) const noexcept {
  std::uint64_t lost = 0;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lost += lanes_[i].missing;
    if (input.lanes_[i].next > lanes_[i].next) lost += input.lanes_[i].next - lanes_[i].next;
  }
  return lost;
}

bool Tally::same_checksums(const Tally& input) const noexcept {
  return std::equal(lanes_.begin(), lanes_.end(), input.lanes_.begin(),
                    [](const Lane& a, const Lane& b) {
                      return a.checksum == b.checksum && a.records == b.records;
                    });
}

std::uint64_t Tally::end_offset(std::uint32_t partition) const noexcept {
  std::uint64_t end = 0;
  for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
    end = std::max(end, lane(producer, partition).end_offset);
  }
  return end;
}

std::uint64_t Tally::sum(std::uint64_t Lane::* count) const noexcept {
  std::uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.*count;
  return sum;
}

}  // namespace ringway::quickstart
