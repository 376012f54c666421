#pragma once

#include <cstdint>
#include <string>

namespace ringway::cli::top {

/// At most five characters for what people compare: "0", "12.5", "999", "1.23k", "45.6M".
std::string compact(double number);
/// "512 B", "1.5 KiB", "355 MiB".
std::string compact_bytes(double bytes);
/// All digits as long as these are few, "12.345G" behind that.
std::string offset_text(std::uint64_t offset);

}  // namespace ringway::cli::top
