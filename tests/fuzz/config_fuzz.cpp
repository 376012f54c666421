// The configuration file.

#include "daemon/configuration.hpp"
#include "fuzz/input.hpp"
#include "ringway/error.hpp"

using namespace ringway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  try {
    daemon::Configuration().read_text({reinterpret_cast<const char*>(data), bytes}, "x.toml");
  } catch (const Error& error) {
    fuzz::demand(error.code() == ErrorCode::usage, "a wrong configuration is a usage error");
    fuzz::demand(error.thing().find("x.toml") != std::string::npos, "it names the file");
  }
  return 0;
}
