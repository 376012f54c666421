#include <chrono>
#include <cstring>
#include <ringway/bus.hpp>

#include "tools/quickstart_run/roles.hpp"
#include "tools/quickstart_run/telling.hpp"

namespace ringway::quickstart {

void play_producer(Channel& parent, const std::string& socket, const Corpus& corpus,
                   std::uint32_t producer_number) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(kTopic);
  Report report;
  Telling telling(parent);
  std::array<std::uint64_t, kPartitions> next{};
  for (const Piece& piece : share_of(corpus, producer_number, kProducers)) {
    const std::string key = key_of(corpus, piece);
    const std::uint32_t partition = partition_of(key, kPartitions);
    for_each_line(corpus, piece, [&](std::string_view line) {
      const Mark mark{producer_number, next[partition]++};
      const Header header{{}, std::as_bytes(std::span(&mark, 1))};
      const auto [status, offset] =
          producer.publish(line, {.key = key, .headers = std::span(&header, 1)});
      if (status != Status::ok || offset.partition != partition) {
        throw Error(ErrorCode::failed, "publish", std::string(to_string(status)), producer.why());
      }
      report.tally.add({mark, partition, offset, key, line});
      ++report.records;
      telling.now_and_then(report);
    });
    report.input_bytes += (piece.end - piece.begin) * piece.times;
  }
  report.seconds = telling.seconds();
  report.done = true;
  parent.send(report);
}

}  // namespace ringway::quickstart
