#pragma once

#include <string_view>

namespace ringway::test {

// Marks the running test case as skipped; the runner prints the reason and counts it as neither
// passed nor failed. A failed check before it still counts as a failure.
void skip(std::string_view reason);

}  // namespace ringway::test

// Ends a test case that cannot run here. Stands in the body of the test case itself, not in a
// lambda.
#define SKIP_TEST(reason)           \
  do {                              \
    ::ringway::test::skip(reason);  \
    return;                         \
  } while (false)
