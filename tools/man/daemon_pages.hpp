#pragma once

#include "tools/man/verb_pages.hpp"

namespace ringway::man {

/// ringwayd.8 of what its --help says, ringwayd.toml.5 of the table of its configuration keys.
void add_daemon_pages(Pages& pages);

}  // namespace ringway::man
