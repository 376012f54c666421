#include "tools/version.hpp"

#include "layout/board.hpp"

namespace ringway::cli {
namespace {

// Of what the segments on disk and the messages on the control socket look like.
constexpr std::uint64_t kLogVersion = 1;
constexpr std::uint64_t kProtocolVersion = 1;

}  // namespace

std::string version_text(Format format) {
  Report report;
  report.add("ringway", "library", Cell::of_text(RINGWAY_VERSION));
  report.add("layout", "layout", Cell::of_number(layout::kLayoutVersion));
  report.add("log", "log", Cell::of_number(kLogVersion));
  report.add("protocol", "protocol", Cell::of_number(kProtocolVersion));
  return report.render(format, Style::plain);
}

}  // namespace ringway::cli
