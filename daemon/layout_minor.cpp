#include "daemon/layout_minor.hpp"

#include "layout/version.hpp"

namespace ringway::daemon {

const std::uint16_t kServedMinor = layout::kLayoutVersion.minor;

}  // namespace ringway::daemon
