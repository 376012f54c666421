#include "daemon/status_line.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/systemd.hpp"

namespace ringway::daemon {
namespace {

constexpr std::chrono::seconds kPause{5};

}  // namespace

StatusLine::StatusLine(boost::asio::io_context& io, std::function<std::string()> line)
    : timer_(io), line_(std::move(line)) {
  if (is_service()) look();
}

void StatusLine::look() {
  std::string line = line_();
  std::ranges::replace(line, '\n', ' ');  // ends a message's line
  if (line != told_) notify("STATUS=" + line);
  told_ = std::move(line);
  timer_.expires_after(kPause);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

}  // namespace ringway::daemon
