#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace [[gnu::visibility("default")]] ringway {

/// What kind of refusal an `Error` is; the command line maps it to its exit code.
enum class ErrorCode : unsigned char {
  failed = 1,         ///< The system refused (I/O, memory, descriptors); the rule holds its reason.
  usage = 2,          ///< An argument breaks a rule.
  not_found = 3,      ///< The topic, cursor or bus does not exist.
  denied = 4,         ///< The caller lacks a right.
  timeout = 6,        ///< The supervisor did not answer in time.
  exists = 7,         ///< A topic of that name exists already.
  limit = 8,          ///< A configured or system limit would be passed.
  unavailable = 9,    ///< No supervisor is serving at the socket.
  incompatible = 10,  ///< Layout or protocol versions do not match.
  busy = 11,          ///< Held by another process, which the rule names.
};

/// Thrown by everything that sets up; never by the hot path. Says what was attempted on what thing,
/// which rule it broke, and how to mend it. `what()` reads "thing: rule; fix".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string thing, std::string rule, std::string fix)
      : std::runtime_error(thing + ": " + rule + (fix.empty() ? "" : "; " + fix)),
        code_(code),
        thing_(std::move(thing)),
        rule_(std::move(rule)),
        fix_(std::move(fix)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& thing() const noexcept { return thing_; }
  const std::string& rule() const noexcept { return rule_; }
  const std::string& fix() const noexcept { return fix_; }

 private:
  ErrorCode code_;
  std::string thing_;
  std::string rule_;
  std::string fix_;
};

/// How to mend a refusal by the kernel whose errno alone tells it; "" for any other.
constexpr const char* fix_of(int error_number) noexcept {
  return error_number == EMFILE || error_number == ENFILE
             ? "raise the limit of open files (ulimit -n, LimitNOFILE=)"
             : "";
}

/// A refusal by the kernel, with its errno's text as the rule's reason; without a fix fix_of() it.
inline Error system_error(int error_number, std::string thing, const std::string& attempted,
                          std::string fix = {}) {
  if (fix.empty()) fix = fix_of(error_number);
  return Error(ErrorCode::failed, std::move(thing),
               attempted + ": " + std::generic_category().message(error_number), std::move(fix));
}

}  // namespace ringway
