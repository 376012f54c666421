#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <ringway/bytes.hpp>

namespace [[gnu::visibility("default")]] ringway {

/// The headers of a received record, decoded while iterating. Valid as long as their RecordView.
class HeaderRange {
 public:
  class iterator {
   public:
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    explicit iterator(std::string_view rest) noexcept : rest_(rest) { decode(); }
    const Header& operator*() const noexcept { return header_; }
    const Header* operator->() const noexcept { return &header_; }
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept {
      return a.rest_.size() == b.rest_.size();
    }

   private:
    void decode() noexcept;  // a run that does not parse ends the range

    std::string_view rest_;
    std::size_t taken_ = 0;
    Header header_;
  };

  HeaderRange() noexcept = default;
  explicit HeaderRange(std::string_view encoded) noexcept : encoded_(encoded) {}

  iterator begin() const noexcept { return iterator(encoded_); }
  iterator end() const noexcept { return iterator(encoded_.substr(encoded_.size())); }
  bool empty() const noexcept { return begin() == end(); }

 private:
  std::string_view encoded_;
};

/// A record where it lies: in the ring, or in a private copy of bytes of the ring, or of the log's,
/// which are verified. Valid until the next call on the Consumer that gave it (poll, advance, seek,
/// destruction), and only in that thread. Sizes were copied and checked when it was polled; the
/// bytes of a record in the ring can change only if a producer of the topic writes where it must
/// not (G7), or on overwriting topics (see `lapped`).
class RecordView {
 public:
  RecordView() noexcept = default;
  RecordView(const std::byte* body, std::uint32_t payload_bytes, std::uint16_t key_bytes,
             std::uint16_t headers_bytes, bool has_key, std::uint32_t producer,
             std::int64_t timestamp_ns, std::uint64_t offset, std::uint32_t partition) noexcept
      : body_(reinterpret_cast<const char*>(body)),
        offset_(offset),
        timestamp_ns_(timestamp_ns),
        payload_bytes_(payload_bytes),
        partition_(partition),
        producer_(producer),
        key_bytes_(key_bytes),
        headers_bytes_(headers_bytes),
        has_key_(has_key) {}

  std::span<const std::byte> payload() const noexcept {
    return {reinterpret_cast<const std::byte*>(body_), payload_bytes_};
  }
  std::string_view value() const noexcept { return {body_, payload_bytes_}; }
  bool has_key() const noexcept { return has_key_; }
  /// "" when there is none: ask has_key() where that differs from an empty key.
  std::string_view key() const noexcept { return {body_ + payload_bytes_, key_bytes_}; }
  HeaderRange headers() const noexcept {
    return HeaderRange({body_ + payload_bytes_ + key_bytes_, headers_bytes_});
  }
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint32_t partition() const noexcept { return partition_; }
  /// CLOCK_REALTIME nanoseconds, taken by the producer when it claimed.
  std::int64_t timestamp_ns() const noexcept { return timestamp_ns_; }
  /// Identity of the producer handle, unique within the topic.
  std::uint32_t producer() const noexcept { return producer_; }

 private:
  const char* body_ = nullptr;
  std::uint64_t offset_ = 0;
  std::int64_t timestamp_ns_ = 0;
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t partition_ = 0;
  std::uint32_t producer_ = 0;
  std::uint16_t key_bytes_ = 0;
  std::uint16_t headers_bytes_ = 0;
  bool has_key_ = false;
};

}  // namespace ringway
