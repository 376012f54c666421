#include "tools/failure.hpp"

#include <fmt/format.h>

namespace ringway::cli {

Exit exit_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return Exit::usage;
    case ErrorCode::not_found:
      return Exit::not_found;
    case ErrorCode::denied:
      return Exit::denied;
    case ErrorCode::timeout:
      return Exit::timeout;
    case ErrorCode::failed:
    case ErrorCode::exists:
    case ErrorCode::limit:
    case ErrorCode::unavailable:
    case ErrorCode::incompatible:
    case ErrorCode::busy:
      return Exit::error;
  }
  return Exit::error;
}

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::failed:
      return "failed";
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::exists:
      return "exists";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::incompatible:
      return "incompatible";
    case ErrorCode::busy:
      return "busy";
  }
  return "failed";
}

std::string error_line(const Error& error, Format format) {
  if (format == Format::table) return fmt::format("ringway: {}\n", error.what());
  Json inner = Json::object();
  inner["code"] = name_of(error.code());
  inner["thing"] = error.thing();
  inner["rule"] = error.rule();
  inner["fix"] = error.fix();
  Json line = Json::object();
  line["error"] = std::move(inner);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ringway::cli
