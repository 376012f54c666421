// What makes a ringwayd of the next minor layout version of the parts of this one.

#include "daemon/layout_minor.hpp"
#include "layout/version.hpp"

namespace ringway::daemon {

const std::uint16_t kServedMinor = layout::kLayoutVersion.minor + 1;

}  // namespace ringway::daemon
