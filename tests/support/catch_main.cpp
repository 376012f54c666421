// Signals stay what the test makes them: Catch's own handlers would be inherited by forked children
// and hide a sanitizer's report.
#define CATCH_CONFIG_NO_POSIX_SIGNALS
#define CATCH_CONFIG_MAIN
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

#include "support/skip.hpp"

namespace ringway::test {
namespace {

std::string skip_reason;

// Tells the runner about every test case, a line each, in the file it names. A case that was
// started and never ended is the one the process died in. Children that a test forks stay silent.
class CaseReport : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;

  void testRunStarting(const Catch::TestRunInfo&) override {
    if (const char* path = std::getenv("RINGWAY_TEST_RESULT")) {
      file_ = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      owner_ = ::getpid();
      ::unsetenv("RINGWAY_TEST_RESULT");  // not for what the cases start
    }
  }

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    skip_reason.clear();
    report("STARTED " + info.name);
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const std::string& name = stats.testInfo.name;
    if (stats.totals.testCases.failed != 0) {
      report("FAILED " + name);
    } else if (!skip_reason.empty()) {
      report("SKIPPED " + name + "\t" + skip_reason);
    } else {
      report("PASSED " + name);
    }
  }

 private:
  void report(std::string line) const {
    line += '\n';
    if (file_ >= 0 && ::getpid() == owner_ &&
        ::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::abort();  // a lost line would be a lost verdict
    }
  }

  int file_ = -1;
  pid_t owner_ = 0;
};
CATCH_REGISTER_LISTENER(CaseReport)

}  // namespace

void skip(std::string_view reason) { skip_reason = reason.empty() ? "no reason given" : reason; }

}  // namespace ringway::test
