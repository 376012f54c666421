#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/descriptor_store.hpp"

namespace ringway::daemon {

/// The descriptor store of the service manager (FileDescriptorStoreMax= of the unit): it holds what
/// it was sent while the service is restarted, for whatever reason, and gives it to the next
/// process at its start. Keeps no meta.
///
/// It hands all names over in one environment variable, which the kernel takes up to 128 KiB. So a
/// memory file, which knows its own name, is kept under a short one; what would make the next
/// start impossible is refused. Nor does systemd 252 say whether it took a descriptor: each is
/// followed by the end of a pipe, which shows, and for which there is always room. Later versions
/// tell how many they take ($FDSTORE), and close what they refuse too late to be seen.
class ServiceStore final : public DescriptorStore {
 public:
  /// With what a predecessor left (Inherited::kept), which list() gives away.
  /// @throws Error usage where this process is no service.
  explicit ServiceStore(std::vector<KeptDescriptor> inherited);

  /// @throws Error limit when it took no more; failed when it does not answer.
  void put(const std::string& name, const nlohmann::json& meta, int fd) override;
  void drop(const std::string& name) override;
  std::vector<KeptDescriptor> list() override;
  void end() override;
  /// It dies with the host.
  int death_fd() const noexcept override { return -1; }
  std::string_view kind() const noexcept override { return "service"; }

 private:
  struct Kept {
    std::string short_name;  ///< as the service manager has it
    dev_t device = 0;        ///< with the inode: which file it is
    ino_t inode = 0;
  };

  std::string short_name(const std::string& name, int fd);
  void check_room(const std::string& short_name) const;

  std::vector<KeptDescriptor> inherited_;
  std::map<std::string, Kept> kept_;  ///< what is there, by name
  std::uint64_t last_number_ = 0;     ///< of short names
  std::size_t names_bytes_ = 0;       ///< of all short names, each with its separator
};

}  // namespace ringway::daemon
