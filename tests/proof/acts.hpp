#pragma once

// What producers do, by the shipped Writer; the frames are filled as a Producer fills them.

#include <memory>
#include <vector>

#include "proof/scene.hpp"

namespace ringway::proof {

/// Publishes records of these payload sizes, one after another; goes on to the next when refused.
inline Act publishes(std::vector<std::uint32_t> payload_bytes) {
  return [payload_bytes](Cast& cast, Seat seat) -> Puppet::Part {
    auto writer = std::make_shared<Writer>(cast.view(), cast.stage().slot(seat));
    return [=, told = &cast.stage().told().committed[seat],
            payload = std::make_shared<std::vector<std::string>>([&] {
              std::vector<std::string> all;
              for (const std::uint32_t bytes : payload_bytes) {
                all.push_back(single(seat, all.size() + 1, bytes).text());
              }
              return all;
            }())] {
      std::uint64_t published = 0;
      for (std::size_t i = 0; i < payload->size(); ++i) {
        const std::string& text = (*payload)[i];
        const auto claimed = writer->try_claim(claim_bytes(text), 1);
        if (claimed.status != Status::ok) break;  // the rest would leave a gap in the sequence
        write_record(writer->view(), claimed.position, text, seat);
        writer->commit(claimed);
        *told = ++published;
      }
    };
  };
}

/// Claims `records` of that size, as a batch, and a unit more; fills and commits them.
inline Act publishes_batch(std::uint32_t records, std::uint32_t payload_bytes) {
  return [=](Cast& cast, Seat seat) -> Puppet::Part {
    auto writer = std::make_shared<Writer>(cast.view(), cast.stage().slot(seat));
    auto payload = std::make_shared<std::vector<std::string>>();
    for (std::uint64_t i = 1; i <= records; ++i) {
      payload->push_back(Content{seat, payload_bytes, i, 1, records}.text());
    }
    return [=, told = &cast.stage().told().committed[seat]] {
      const std::uint64_t each = claim_bytes(payload->front());
      // One record more than is used: its place becomes a skip, as an unfinished Batch leaves it.
      const auto claimed = writer->try_claim(each * records + layout::kUnitBytes, records + 1);
      if (claimed.status != Status::ok) return;
      std::uint64_t position = claimed.position;
      for (const std::string& text : *payload) {
        write_record(writer->view(), position, text, seat);
        if (position != claimed.position) writer->stamp_inner(position);
        position += each;
      }
      writer->view().store_header(position, layout::skip_header(layout::kUnitBytes, 1));
      writer->stamp_inner(position);
      writer->commit(claimed);
      *told = records;
    };
  };
}

/// Claims, fills and gives up `records` at once; then publishes one.
inline Act aborts(std::uint32_t records, std::uint32_t payload_bytes) {
  return [=](Cast& cast, Seat seat) -> Puppet::Part {
    auto writer = std::make_shared<Writer>(cast.view(), cast.stage().slot(seat));
    const std::string never = Content{seat, payload_bytes, 77, 77, 1}.text();
    const std::string text = single(seat, 1, payload_bytes).text();
    return [=, told = &cast.stage().told().committed[seat]] {
      const std::uint64_t each = claim_bytes(never);
      const auto given_up = writer->try_claim(each * records, records);
      if (given_up.status != Status::ok) return;
      for (std::uint32_t i = 0; i < records; ++i) {
        write_record(writer->view(), given_up.position + i * each, never, seat);
        if (i != 0) writer->stamp_inner(given_up.position + i * each);
      }
      writer->abort(given_up, records);
      const auto claimed = writer->try_claim(each, 1);
      if (claimed.status != Status::ok) return;
      write_record(writer->view(), claimed.position, text, seat);
      writer->commit(claimed);
      *told = 1;
    };
  };
}

}  // namespace ringway::proof
