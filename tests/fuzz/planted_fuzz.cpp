// Reads one byte too far, but only for inputs that nobody kept: test_fuzz.py must find it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || std::memcmp(data, "rin", 3) != 0 || data[3] != 'g') return 0;
  const std::vector<std::uint8_t> exact(data, data + size);
  const volatile std::uint8_t* const bytes = exact.data();
  static_cast<void>(bytes[size]);
  return 0;
}
