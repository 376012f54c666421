#include <exception>
#include <utility>

#include "daemon/keeper.hpp"
#include "daemon/options.hpp"
#include "daemon/printing.hpp"
#include "daemon/serve.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

using namespace ringway;

int main(int argc, char** argv) {
  shm::occupy_closed_standard_descriptors();
  try {
    daemon::Options options = daemon::parse_options(argc, argv);
    switch (options.action) {
      case daemon::Options::Action::keep:
        return daemon::keeper_main(options.keeper_runtime_dir, options.keeper_state_dir);
      case daemon::Options::Action::serve:
        return daemon::serve(std::move(options));
      default:
        return options.exit_status;
    }
  } catch (const Error& error) {
    daemon::complain(error.what());
    return error.code() == ErrorCode::usage ? 2 : 1;
  } catch (const std::exception& error) {
    daemon::complain(error.what());
    return 1;
  }
}
