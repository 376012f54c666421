#include "daemon/ring_opening.hpp"

#include <algorithm>

#include "daemon/commit_follower.hpp"
#include "daemon/gap_list.hpp"
#include "daemon/nonce_source.hpp"
#include "ring/limit.hpp"
#include "ring/scan.hpp"

namespace ringway::daemon {
namespace {

/// The oldest boundary that the board knows and the ring still holds.
ring::Place oldest_boundary(const ring::PartitionView& view) {
  const layout::BoardPartition& board = view.board();
  // Relaxed throughout: the supervisor that wrote it is dead.
  const std::uint64_t announced = board.announced.load(std::memory_order::relaxed);
  return first_boundary(board, announced - view.ring_bytes(),
                        {board.committed_position.load(std::memory_order::relaxed),
                         board.committed_offset.load(std::memory_order::relaxed)});
}

/// Where the mark of what is durable stands, in front of the log's `end`. Who served before may
/// have died between its two words, so that the offset is counted back from there.
log::LogPoint published_durable(const ring::PartitionView& view, log::LogPoint end) {
  const layout::BoardPartition& board = view.board();
  // Relaxed throughout: the supervisor that wrote it is dead.
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
  const log::LogPoint mark{base + board.durable_position.load(std::memory_order::relaxed),
                           board.durable_offset.load(std::memory_order::relaxed)};
  ring::Place passed{mark.position - base, 0};
  layout::RecordHeader header;
  while (base + passed.position < end.position &&
         ring::peek(view, passed.position, header) == ring::Found::record) {
    passed.pass(header);
  }
  const bool all_there = base + passed.position == end.position && passed.offset <= end.offset;
  return all_there ? log::LogPoint{mark.position, std::max(mark.offset, end.offset - passed.offset)}
                   : mark;
}

}  // namespace

log::Recovered recover_log(const ServedTopic& topic, std::uint32_t partition,
                           storage::FileSystem& file_system, log::RecoverMode mode) {
  const std::string directory = topic.directory(partition).string();
  // What is missing and cannot be made is empty. Whoever writes first tries again, and says so.
  file_system.make_directories(directory);
  const log::LogIdentity identity{topic.uuid(), partition, topic.epoch()};
  return log::recover(file_system, directory, mode, &identity);
}

void report_recovery(const ServedTopic& topic, std::uint32_t partition, const log::Recovered& found,
                     const EventLog& log, LogDamage& damage) {
  using Kind = LogDamage::Kind;
  for (const log::DamagedFile& file : found.damaged) {
    damage.note(log, topic, {Kind::unreadable, partition, {0, file.base_offset},
                             {0, LogDamage::kUnknown}, file.name, file.rule});
  }
  for (const log::MissingRange& range : found.missing()) {
    damage.note_missing(log, topic, partition, range);
  }
  if (found.torn) {
    log.warning("torn_tail_cut", {{"topic", topic.name()},
                                  {"partition", partition},
                                  {"bytes", found.torn->bytes},
                                  {"kept_as", found.torn->name.empty() ? "nothing: the disk is full"
                                                                       : found.torn->name}});
  }
}

void open_partition(ServedTopic& topic, std::uint32_t partition, log::LogPoint start,
                    const log::Recovered& recovered) {
  const ring::PartitionView view = topic.view(partition);
  layout::BoardPartition& board = view.board();
  const std::uint64_t first =
      recovered.segments.empty() ? start.offset : recovered.segments.front().first.offset;
  // Relaxed: the board's magic, published last, carries all of it.
  board.base_position.store(start.position, std::memory_order::relaxed);
  board.base_offset.store(start.offset, std::memory_order::relaxed);
  board.committed_offset.store(start.offset, std::memory_order::relaxed);
  board.written_offset.store(start.offset, std::memory_order::relaxed);
  board.durable_offset.store(start.offset, std::memory_order::relaxed);
  board.first_offset.store(first, std::memory_order::relaxed);
  // The first boundary; the other places of the table say the same until they have their own.
  for (layout::Boundary& entry : board.boundary) {
    entry.offset.store(start.offset, std::memory_order::relaxed);
  }
  if (topic.settings().persist) GapList(board).fill(recovered, start);
  NonceSource nonces;
  ring::open_ring(view, start.offset, nonces);
  topic.segments(partition).assign(recovered.segments);
  topic.log_start(partition) = recovered.jump(start);
}

std::optional<log::MissingRange> reopen_partition(ServedTopic& topic, std::uint32_t partition,
                                                  const log::Recovered& recovered,
                                                  const EventLog& log) {
  const ring::PartitionView view = topic.view(partition);
  layout::BoardPartition& board = view.board();
  // Relaxed: the supervisor that wrote them is dead.
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
  const std::uint64_t announced = board.announced.load(std::memory_order::relaxed);
  topic.segments(partition).assign(recovered.segments);
  log::LogStart& start = topic.log_start(partition);
  std::optional<log::MissingRange> missing;
  if (recovered.end.position < base && announced == view.ring_bytes()) {
    // Of this ring nothing was written yet.
    start = recovered.jump({base, board.base_offset.load(std::memory_order::relaxed)});
  } else if (recovered.end.position >= base &&
             recovered.end.position - base + view.ring_bytes() >= announced) {
    start = recovered.go_on();
  } else {
    // As it went on in memory only, or what was durable is gone.
    const ring::Place oldest = oldest_boundary(view);
    GapList(board).extend(recovered.end.offset,
                          board.durable_offset.load(std::memory_order::relaxed), oldest.offset);
    log.error("log_shorter_than_ring", {{"topic", topic.name()},
                                        {"partition", partition},
                                        {"log_end", recovered.end.offset},
                                        {"goes_on_at", oldest.offset},
                                        {"effect", "the offsets between are lost"}});
    start = recovered.jump({base + oldest.position, oldest.offset});
    missing = recovered.missing_behind_end(start.at);
    if (board.written_offset.load(std::memory_order::relaxed) < oldest.offset) missing.reset();
    // Told at every start from now on: the header of the next segment says how far the log went.
    if (missing) start.predecessor_end = start.durable = start.predecessor_durable = start.at;
  }
  // A file may not say yet what was published.
  const log::LogPoint published = published_durable(view, recovered.end);
  if (published.position > start.durable.position && published.position <= recovered.end.position) {
    start.durable = published;
  }
  // In memory only the ring gives back what was written and never synced.
  start.in_ring = start.in_ring &&
                  log::page_floor(start.durable.position) + view.ring_bytes() >= base + announced;
  return missing;
}

}  // namespace ringway::daemon
