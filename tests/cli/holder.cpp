#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ringway/ringway.hpp>

/// Polls the first record of a topic, says so with a line, and holds it in place.
int main(int, char** arguments) {
  auto bus = ringway::Bus::connect();
  auto consumer = bus.consumer(arguments[1], {.from = ringway::start()});
  const auto batch = consumer.poll(1, std::chrono::seconds(60));
  if (batch.size() != 1) return 1;
  std::puts("held");
  std::fflush(stdout);
  for (;;) ::pause();
}
