#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "shm/descriptor.hpp"

namespace ringway::daemon::metrics {

/// An address that only this host reaches.
struct Loopback {
  std::string address;     ///< as it was written
  std::uint16_t port = 0;  ///< 0: any that is free
};

/// "127.0.0.1:9464" or "[::1]:9464"; nothing: not of that form, or no loopback address.
std::optional<Loopback> parse_loopback(std::string_view text);

/// Sockets that listen. @throws Error naming the address.
shm::Descriptor listen_on_loopback(const Loopback& to);
/// The path is as control::make_way() leaves it, and refused where that does.
shm::Descriptor listen_on_unix(const std::filesystem::path& path, mode_t mode);

/// "127.0.0.1:9464": where a socket of listen_on_loopback() is.
std::string bound_to(const shm::Descriptor& socket);

}  // namespace ringway::daemon::metrics
