// The keeper alone, as `ringwayd --keeper` runs it.

#include <iostream>

#include "daemon/keeper.hpp"
#include "ringway/error.hpp"

int main(int count, char** arguments) try {
  return count == 4 ? ringway::daemon::keeper_main(arguments[2], arguments[3]) : 2;
} catch (const ringway::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
