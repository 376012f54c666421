#include "client/topic_settings.hpp"

#include <algorithm>

namespace ringway {

// Field by field: the public struct may change for its readers, the message may not.

control::TopicSettings to_control(const TopicSettings& settings) {
  control::TopicSettings said;
  said.partitions = settings.partitions;
  said.ring_bytes = settings.ring_bytes;
  said.segment_bytes = settings.segment_bytes;
  said.sync = settings.sync == SyncPolicy::every_batch ? control::Sync::every_batch
              : settings.sync == SyncPolicy::interval  ? control::Sync::interval
                                                       : control::Sync::never;
  said.sync_interval_ms = settings.sync_interval_ms;
  said.sync_bytes = settings.sync_bytes;
  said.persist = settings.persist;
  said.when_full = settings.when_full == WhenFull::block ? control::WhenFull::block
                                                         : control::WhenFull::overwrite;
  said.retention_bytes = settings.retention_bytes;
  said.retention_age_ms = settings.retention_age_ms;
  said.readers = settings.readers;
  said.writers = settings.writers;
  said.admins = settings.admins;
  return said;
}

TopicSettings from_control(const control::TopicSettings& said) {
  TopicSettings settings;
  settings.partitions = said.partitions;
  settings.ring_bytes = said.ring_bytes;
  settings.segment_bytes = said.segment_bytes;
  settings.sync = said.sync == control::Sync::every_batch ? SyncPolicy::every_batch
                  : said.sync == control::Sync::interval  ? SyncPolicy::interval
                                                          : SyncPolicy::never;
  settings.sync_interval_ms =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(said.sync_interval_ms, UINT32_MAX));
  settings.sync_bytes = said.sync_bytes;
  settings.persist = said.persist;
  settings.when_full =
      said.when_full == control::WhenFull::block ? WhenFull::block : WhenFull::overwrite;
  settings.retention_bytes = said.retention_bytes;
  settings.retention_age_ms = said.retention_age_ms;
  settings.readers = said.readers;
  settings.writers = said.writers;
  settings.admins = said.admins;
  return settings;
}

}  // namespace ringway
