#include <algorithm>
#include <cstring>

#include "log/segment_reader.hpp"

namespace ringway::log {

void SegmentWalk::go_to(LogPoint at) noexcept {
  at_ = at;
  run_ = {};
}

ReadStatus SegmentWalk::next(Record& record) {
  for (int loads = 0; loads < 2; ++loads) {
    if (run_.bytes.size() >= sizeof(layout::RecordHeader)) {
      std::memcpy(&record.header, run_.bytes.data(), sizeof record.header);
      if (layout::plausible(record.header, run_.bytes.size())) {
        const std::uint64_t bytes = layout::record_bytes(record.header);
        const bool data = record.header.kind == static_cast<std::uint8_t>(layout::RecordKind::data);
        record.at = at_;
        record.body = run_.bytes.subspan(
            sizeof record.header, data ? std::uint64_t{record.header.payload_bytes} +
                                             record.header.key_bytes + record.header.headers_bytes
                                       : 0);
        at_.position += bytes;
        at_.offset += layout::record_offsets(record.header);
        run_.bytes = run_.bytes.subspan(bytes);
        return ReadStatus::ok;
      }
    }
    if (const ReadStatus status = reader_.load(at_, run_); status != ReadStatus::ok) {
      run_ = {};
      return status;
    }
    verified_end_ = std::max(verified_end_, at_.position + run_.bytes.size());
  }
  return ReadStatus::end;  // load() gives whole records only
}

}  // namespace ringway::log
