#include "tools/version.hpp"

#include "control/messages.hpp"
#include "layout/board.hpp"
#include "log/segment_format.hpp"

namespace ringway::cli {

std::string version_text(Format format) {
  Report report;
  report.add("ringway", "library", Cell::of_text(RINGWAY_VERSION));
  report.add("layout", "layout", Cell::of_number(layout::kLayoutVersion.major));
  report.add("layout minor", "layout_minor", Cell::of_number(layout::kLayoutVersion.minor));
  report.add("log", "log", Cell::of_number(log::kSegmentVersion));
  report.add("protocol", "protocol", Cell::of_number(control::kProtocolVersion));
  return report.render(format, Style::plain);
}

}  // namespace ringway::cli
