#pragma once

#include <cstdint>
#include <string>

#include "stress/bus_content.hpp"
#include "tools/stage/child.hpp"

// What the processes of the bus stress do. Sent to the parent as they are.

namespace ringway::stress {

inline constexpr const char* kTopic = "stress";
inline constexpr std::uint64_t kRingBytes = 16 * 1024 * 1024;
/// Header and payload: what one record takes in ring and log.
inline constexpr std::uint64_t kRecordBytes = 32 + kPayloadBytes;
inline constexpr std::uint64_t kRingRecords = kRingBytes / kRecordBytes;

struct Report {
  bool done = false;
  std::uint64_t records = 0;
  double seconds = 0;
  Judge judge;              ///< consumers
  std::uint64_t falls = 0;  ///< slow consumer: how often it was out of the ring and came back
};

/// Publishes `records` records: the first producer one by one, the second in batches.
void play_producer(cli::Channel& parent, const std::string& socket, std::uint32_t producer,
                   std::uint64_t records);

/// How a consumer goes about it.
enum class Pace { eager, slow };

/// Reads [0, records) from the start. The slow one lets the producers get two rings ahead, then
/// catches up, and so on.
void play_consumer(cli::Channel& parent, const std::string& socket, std::uint64_t records,
                   Pace pace);

}  // namespace ringway::stress
