#include <unistd.h>

#include <cstdio>
#include <ringway/ringway.hpp>

/// Publishes "before" to a topic, claims a record behind it, says so with a line, and stands still.
int main(int, char** arguments) {
  auto bus = ringway::Bus::connect();
  auto producer = bus.producer(arguments[1]);
  if (producer.publish("before").status != ringway::Status::ok) return 1;
  const auto claim = producer.claim(8);
  if (!claim) return 1;
  std::puts("claimed");
  std::fflush(stdout);
  for (;;) ::pause();
}
