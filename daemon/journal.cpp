#include "daemon/journal.hpp"

#if defined(RINGWAY_HAS_SYSTEMD)
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

namespace ringway::daemon {

bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

void write_to_journal(const Event& event) {
  constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};
  std::vector<std::string> fields{
      fmt::format("MESSAGE={}", line_of(event)),
      fmt::format("PRIORITY={}", kPriorities[static_cast<int>(event.severity)]),
      fmt::format("RINGWAY_EVENT={}", event.name)};
  for (const LogField& field : event.fields) {
    std::string key(field.key);
    for (char& c : key) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    fields.push_back(fmt::format("RINGWAY_{}={}", key, field.value));
  }
  std::vector<iovec> pieces;
  for (std::string& field : fields) pieces.push_back({field.data(), field.size()});
  static_cast<void>(::sd_journal_sendv(pieces.data(), static_cast<int>(pieces.size())));
}

}  // namespace ringway::daemon

#else

namespace ringway::daemon {

bool stderr_is_journal() { return false; }
void write_to_journal(const Event& /*event*/) {}

}  // namespace ringway::daemon

#endif
