#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

namespace ringway::daemon {

/// Keeps the line by which the service manager describes this process (STATUS=) true to a few
/// seconds. Control thread only; the io_context outlives it.
class StatusLine {
 public:
  StatusLine(boost::asio::io_context& io, std::function<std::string()> line);

  /// Others speak now.
  void end() { timer_.cancel(); }

 private:
  void look();

  boost::asio::steady_timer timer_;
  std::function<std::string()> line_;
  std::string told_;
};

}  // namespace ringway::daemon
