#pragma once

#include <sys/types.h>

namespace ringway::shm {

/// Who the kernel can name to this process. In a user namespace that has not all users of the host
/// (a container's, PrivateUsers= of systemd), each that it has not is named by one and the same
/// number, /proc/sys/kernel/overflowuid; groups likewise. Read once; any thread.
///
/// Whether this number may stand for users whom the kernel cannot name here.
bool may_be_unmapped_user(uid_t user);
bool may_be_unmapped_group(gid_t group);

}  // namespace ringway::shm
