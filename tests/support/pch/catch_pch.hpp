// What most Catch2 tests include and nobody here changes, parsed once for each of the larger
// executables. Tests are to include what they use all the same: -Db_pch=false shows who does not.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
