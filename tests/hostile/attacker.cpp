// A client that misbehaves. attacker ATTACK ARGUMENT… (attack.hpp lists them); it reports in lines
// and ends with 0 when the attack came to its end, whatever came of it.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>

#include "hostile/attack.hpp"

namespace ringway::test {

void tell(const std::string& name, const std::string& what) {
  std::printf("%s %s\n", name.c_str(), what.c_str());
  std::fflush(stdout);
}

void tell_refusal(const std::string& name, bool happened, std::initializer_list<int> reasons) {
  const int reason = errno;
  if (happened) return tell(name, "ALLOWED");
  const bool right = std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
  tell(name, std::string(right ? "refused " : "missed ") + ::strerrorname_np(reason));
}

void wait_for_end_of_input() {
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

Loot::Loot(const std::string& socket, const std::string& topic, layout::Role role)
    : client(socket) {
  opened = client.call(control::Open{.topic = topic, .role = role});
  const char* const names[] = {"board", "ring", "bell", "session"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    files.emplace(names[i], std::move(client.descriptors.at(i)));
  }
}

std::uint64_t Loot::bytes(const std::string& file) const {
  struct stat status{};
  if (::fstat(files.at(file).get(), &status) != 0) throw std::runtime_error("fstat");
  return static_cast<std::uint64_t>(status.st_size);
}

layout::Role role_of(const std::string& word) {
  return word == "producer" ? layout::Role::producer : layout::Role::consumer;
}

}  // namespace ringway::test

int main(int argc, char** argv) {
  using namespace ringway::test;
  const std::map<std::string, void (*)(const Arguments&)> attacks{
      {"scribble", scribble}, {"punch", punch},
      {"put-back", put_back}, {"unstamp", unstamp},
      {"hang-up", hang_up},   {"fork-away", fork_away},
      {"pin-ahead", pin_ahead}, {"no-length", no_length},
      {"tamper", tamper},     {"lend", lend},
      {"receive", receive},   {"rob", rob},
      {"rave", rave},         {"flood", flood},
      {"churn", churn},       {"linger", linger},
      {"guess", guess},       {"guess-keeper", guess_keeper},
      {"dress-up", dress_up}, {"tamper-own", tamper_with_own},
      {"slander", slander},
  };
  const auto attack = attacks.find(argc > 1 ? argv[1] : "");
  if (attack == attacks.end()) return 2;
  try {
    attack->second({argv + 2, argv + argc});
  } catch (const std::exception& error) {
    tell("error", error.what());
    return 1;
  }
  return 0;
}
