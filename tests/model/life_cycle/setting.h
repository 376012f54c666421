/* What a run of the generated checker is told by its environment, so that one program runs all
 * scenarios and all mutations. */

#include <stdlib.h>

static int setting(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text ? atoi(text) : otherwise;
}
