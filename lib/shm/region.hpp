#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace ringway::shm {

enum class Access : std::uint8_t { read_only, read_write };

/// A shared mapping of part of a memory file, released on destruction; the descriptor may be closed
/// meanwhile. Move-only. Not inherited by forked children: there every access faults, which is why
/// handles ask a ForkGuard first. A crash costs nothing: the kernel unmaps.
class Region {
 public:
  Region() = default;
  /// Maps [offset, offset + bytes), offset a multiple of the page size.
  /// @throws Error when the kernel refuses, naming the limit of mappings where that is the reason.
  Region(int fd, Access access, std::uint64_t offset, std::uint64_t bytes);

  std::uint64_t bytes() const noexcept { return mapped_.get_size(); }
  explicit operator bool() const noexcept { return mapped_.get_address() != nullptr; }

  /// The object at `offset`; T is const for read-only regions.
  /// @throws Error when it would lie outside the mapping, misaligned, or be writable but must not.
  template <class T>
  T& at(std::uint64_t offset) const {
    return *array<T>(offset, 1).data();
  }

  /// `count` objects from `offset` on, under the same rules.
  template <class T>
  std::span<T> array(std::uint64_t offset, std::uint64_t count) const {
    static_assert(std::is_standard_layout_v<T>);
    void* first = checked(offset, count, sizeof(T), alignof(T), std::is_const_v<T>);
    return {static_cast<T*>(first), static_cast<std::size_t>(count)};
  }

 private:
  void* checked(std::uint64_t offset, std::uint64_t count, std::uint64_t size,
                std::uint64_t alignment, bool constant) const;

  boost::interprocess::mapped_region mapped_;
};

/// How a ring's data area lies in memory. Mirrored: twice in a row, so that a record that passes
/// the end goes on seamlessly. Single: once; its user splits at the end. ThreadSanitizer tells
/// memory apart by address, so its builds must use single.
enum class Wrap : std::uint8_t { mirrored, single };

#if defined(__SANITIZE_THREAD__)
inline constexpr Wrap kWrap = Wrap::single;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr Wrap kWrap = Wrap::single;
#else
inline constexpr Wrap kWrap = Wrap::mirrored;
#endif
#else
inline constexpr Wrap kWrap = Wrap::mirrored;
#endif

/// One partition's data area, mapped once or twice in a row. Otherwise like Region.
class DataArea {
 public:
  DataArea() = default;
  /// @throws Error when the kernel refuses.
  DataArea(int fd, Access access, std::uint64_t offset, std::uint64_t ring_bytes,
           Wrap wrap = kWrap);

  /// First byte of ring place 0. Writable only if mapped read-write. nullptr when empty.
  std::byte* data() const noexcept { return static_cast<std::byte*>(first_.get_address()); }
  std::uint64_t ring_bytes() const noexcept { return first_.get_size(); }
  /// Bytes that can be addressed from data() on: ring_bytes() or twice that.
  std::uint64_t mapped_bytes() const noexcept { return first_.get_size() + second_.get_size(); }
  /// Enters the ring's pages into the process's page tables, so far as there is memory for that.
  void populate() const noexcept;
  Wrap wrap() const noexcept { return second_.get_size() != 0 ? Wrap::mirrored : Wrap::single; }

 private:
  boost::interprocess::mapped_region first_;
  boost::interprocess::mapped_region second_;
};

}  // namespace ringway::shm
