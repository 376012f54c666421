#include "daemon/metrics/listening.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>

#include "control/directories.hpp"
#include "control/socket_address.hpp"
#include "control/socket_place.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon::metrics {
namespace {

namespace ip = boost::asio::ip;

constexpr int kBacklog = 16;
constexpr const char* kAnother = "name another path as metrics_socket";

shm::Descriptor socket_of(int family, const std::string& thing, const char* fix = "") {
  shm::Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw system_error(errno, thing, "no socket can be made", fix);
  return socket;
}

void listen(const shm::Descriptor& socket, const std::string& thing) {
  if (::listen(socket.get(), kBacklog) != 0) throw system_error(errno, thing, "cannot be used");
}

}  // namespace

std::optional<Loopback> parse_loopback(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return {};
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code unknown;
  const auto address = ip::make_address(std::string(host), unknown);
  if (unknown || !address.is_loopback() || address.is_v6() != bracketed) return {};
  return Loopback{std::string(host), port};
}

shm::Descriptor listen_on_loopback(const Loopback& to) {
  const ip::tcp::endpoint endpoint(ip::make_address(to.address), to.port);
  const std::string thing = fmt::format("metrics_listen {}:{}", to.address, to.port);
  // The unit allows Unix sockets alone.
  shm::Descriptor socket = socket_of(endpoint.protocol().family(), thing,
                                     "give the unit the drop-in metrics-port.conf of the examples");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    throw system_error(errno, thing, "cannot be bound", "name a port that is free");
  }
  listen(socket, thing);
  return socket;
}

shm::Descriptor listen_on_unix(const std::filesystem::path& path, mode_t mode) {
  const std::string thing = path.string();
  const control::SocketAddress address(thing);
  control::create_directories(path.parent_path().string(), 0755);
  control::make_way(thing, SOCK_STREAM, kAnother);
  shm::Descriptor socket = socket_of(AF_UNIX, thing);
  if (::bind(socket.get(), address.get(), address.bytes()) != 0) {
    throw system_error(errno, thing, "cannot be bound", kAnother);
  }
  if (::chmod(path.c_str(), mode) != 0) throw system_error(errno, thing, "its mode cannot be set");
  listen(socket, thing);
  return socket;
}

std::string bound_to(const shm::Descriptor& socket) {
  ip::tcp::endpoint endpoint;
  auto bytes = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(socket.get(), endpoint.data(), &bytes) != 0) return "";
  endpoint.resize(bytes);
  const std::string address = endpoint.address().to_string();
  return fmt::format("{}:{}", endpoint.address().is_v6() ? "[" + address + "]" : address,
                     endpoint.port());
}

}  // namespace ringway::daemon::metrics
