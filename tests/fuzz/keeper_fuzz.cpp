// The protocol of the descriptor keeper, from both ends: what it is asked by the supervisor and by
// strangers, and what the supervisor makes of a keeper's replies.
//
//   flags: bit 0: replies are read; else requests are answered
//   then, until the end: flags (bit 0: a stranger's; bits 1, 2: so many descriptors), text, NUL

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "control/keeper_connection.hpp"
#include "control/wire.hpp"
#include "daemon/keeper_service.hpp"
#include "fuzz/input.hpp"
#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;
using fuzz::demand;
using fuzz::Input;

namespace {

constexpr std::chrono::milliseconds kNow{0};
constexpr uid_t kSupervisor = 1000;
constexpr uid_t kStranger = 2000;
constexpr std::size_t kKeptMax = 5;

int some_descriptor() {
  static const shm::Descriptor kMemory(::memfd_create("fuzz", MFD_CLOEXEC));
  return kMemory.get();
}

/// A connection to a keeper whose replies lie ready before it is asked.
class Conversation {
 public:
  Conversation() : connection_(directory(), kNow), keeper_(std::move(*listener().accept())) {}

  void reply(const std::string& text, std::span<const int> descriptors) {
    if (!text.empty()) keeper_.send(text, descriptors, kNow);
  }
  control::KeeperConnection& connection() { return connection_; }

 private:
  static const std::string& directory() {
    static const test::TemporaryDirectory kDirectory;
    static const std::string kPath = kDirectory / "";
    return kPath;
  }
  static control::Listener& listener() {
    static control::Listener listener(control::keeper_socket(directory()), 0600);
    return listener;
  }

  const control::Listener& listening_ = listener();
  control::KeeperConnection connection_;
  control::Channel keeper_;
};

void check_kept(const std::vector<control::KeptDescriptor>& kept) {
  for (const control::KeptDescriptor& one : kept) {
    demand(static_cast<bool>(one.descriptor), "each name comes with its descriptor");
  }
}

/// What a keeper answers, as the supervisor and whoever looks at a topic read it.
void read_replies(Input& input) {
  Conversation conversation;
  while (!input.empty()) {
    const auto flags = input.take<std::uint8_t>();
    const std::vector<int> descriptors(flags >> 1 & 3, some_descriptor());
    conversation.reply(std::string(input.text()), descriptors);
  }
  // One behind the other, each as far as it comes: a refusal leaves the connection in use.
  const auto attempt = [](auto&& ask) {
    try {
      ask();
    } catch (const Error&) {
    }
  };
  control::KeeperConnection& connection = conversation.connection();
  attempt([&] { check_kept(connection.pages({{"op", "list"}})); });
  attempt([&] { check_kept(connection.look("t")); });
  attempt([&] { static_cast<void>(connection.whose()); });
}

/// What the keeper lists for its supervisor, the supervisor understands. Returns how much that is.
std::size_t list_all(daemon::KeeperService& service) {
  daemon::KeeperService::Peer supervisor{.credentials = {.uid = kSupervisor}, .attached = true};
  Conversation conversation;
  std::size_t listed = 0;
  std::string after;
  for (std::uint64_t id = 1;; ++id) {
    control::Message request{.text =
                                 control::text_of({{"id", id}, {"op", "list"}, {"after", after}})};
    const auto reply = service.answer(supervisor, request);
    demand(reply.text.size() <= control::kMessageBytesMax, "a page is one message");
    conversation.reply(reply.text, reply.descriptors);
    const auto page = nlohmann::json::parse(reply.text);
    listed += page.at("kept").size();
    if (!page.at("more").get<bool>()) break;
    after = page.at("kept").back().at("name").get<std::string>();
  }
  const auto understood = conversation.connection().pages({{"op", "list"}});
  check_kept(understood);
  demand(understood.size() == listed, "the supervisor reads all that is kept");
  return listed;
}

void answer_requests(Input& input) {
  daemon::KeeperService service("/state", kSupervisor, kKeptMax);
  daemon::KeeperService::Peer supervisor{.credentials = {.uid = kSupervisor}};
  daemon::KeeperService::Peer stranger{.credentials = {.uid = kStranger}};
  while (!input.empty()) {
    const auto flags = input.take<std::uint8_t>();
    control::Message request{.text = std::string(input.text())};
    for (int i = 0; i < (flags >> 1 & 3); ++i) {
      request.descriptors.push_back(shm::duplicate(some_descriptor()));
    }
    const bool strange = (flags & 1) != 0;
    const std::size_t before = strange ? list_all(service) : 0;
    const auto reply = service.answer(strange ? stranger : supervisor, request);
    demand(reply.text.size() <= control::kMessageBytesMax, "a reply is one message");
    static_cast<void>(control::open_envelope(reply.text));
    if (!strange) continue;
    demand(!stranger.attached && list_all(service) == before, "a stranger changes nothing");
    demand(reply.descriptors.size() == reply.reopened.size(), "and gets nothing to write to");
  }
  demand(list_all(service) <= kKeptMax, "no more is kept than may be");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  Input input(data, bytes);
  if ((input.take<std::uint8_t>() & 1) != 0) {
    read_replies(input);
  } else {
    answer_requests(input);
  }
  return 0;
}
