// What somebody without any right can find out or get hold of by asking.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "control/channel.hpp"
#include "hostile/attack.hpp"
#include "shm/uuid.hpp"

namespace ringway::test {
namespace {

using namespace std::chrono_literals;

/// "refused CODE", or what came of it.
template <class Request>
void ask(RawClient& client, const std::string& name, const Request& request) {
  try {
    client.call(request);
    tell(name, "ALLOWED");
  } catch (const Error& error) {
    const bool right = error.code() == ErrorCode::denied || error.code() == ErrorCode::not_found;
    tell(name, (right ? "refused: " : "ALLOWED to see: ") + std::string(error.what()));
  }
}

void guess_at_supervisor(const std::string& socket, const std::string& topic,
                         const std::string& uuid) {
  RawClient client(socket);
  for (const auto role : {layout::Role::producer, layout::Role::consumer}) {
    ask(client, "open", control::Open{.topic = topic, .role = role});
  }
  ask(client, "describe", control::DescribeTopic{.name = topic});
  ask(client, "delete", control::DeleteTopic{.name = topic});
  ask(client, "create", control::CreateTopic{.name = "new", .settings = {}});
  ask(client, "cursors", control::ListCursors{.topic = topic});
  ask(client, "grant", control::ChangeAccess{.name = topic, .readers = {"nobody"}});
  ask(client, "list access", control::ListAccess{.name = topic});
  ask(client, "trim topic", control::TrimTopic{.name = topic, .before_offset = 1});
  ask(client, "delete cursor", control::DeleteCursor{.topic = topic, .name = "c"});
  const auto parsed = shm::parse_uuid(uuid);
  ask(client, "segment", control::FindSegment{.topic = *parsed, .at = control::AtOffset{0}});
  tell("list", client.call(control::ListTopics{}).topics.empty() ? "refused" : "ALLOWED");
  // Handles of others: closing them must do nothing to them. The test looks whether they live.
  for (std::uint64_t handle = 0; handle < 2000; ++handle) {
    client.call(control::Close{.handle = handle});
  }
  bool resumed = false;
  for (std::uint64_t session = 0; session < 600; ++session) {
    if (session == client.welcome.session) continue;  // one's own may be resumed
    RawClient other(socket, session);
    resumed = resumed || other.welcome.resumed;
  }
  tell("resume", resumed ? "ALLOWED" : "refused");
}

void guess_at_keeper(const std::string& socket, const std::string& state_dir,
                     const std::string& topic) {
  const nlohmann::json requests[] = {
      {{"op", "look"}, {"topic", topic}, {"after", ""}},
      {{"op", "attach"}, {"state_dir", state_dir}},
      {{"op", "list"}, {"after", ""}},
      {{"op", "put"}, {"name", "x"}, {"meta", {{"kind", "ring"}}}},
      {{"op", "drop"}, {"name", "x"}},
      {{"op", "end"}},
      {{"op", "nonsense"}},
  };
  std::uint64_t id = 0;
  for (nlohmann::json request : requests) {
    control::Channel channel = control::Channel::connect(socket);
    request["id"] = ++id;
    static_cast<void>(channel.send(request.dump(), {}, 5s));
    control::Message reply;
    const bool came = channel.receive(reply, 20s) == control::Arrival::message;
    const bool refused =
        !came || (reply.descriptors.empty() && nlohmann::json::parse(reply.text).contains("error"));
    tell("keeper " + request["op"].get<std::string>(), refused ? "refused" : "ALLOWED");
  }
  for (const std::string& junk : {std::string("{"), std::string(100'000, '['), std::string("[]")}) {
    control::Channel channel = control::Channel::connect(socket);
    static_cast<void>(channel.send(junk, {}, 5s));
    const int files[] = {0, 0, 0};
    static_cast<void>(channel.send(R"({"id":1,"op":"put"})", files, 5s));
  }
}

void guess_at_files(const std::string& name, const std::filesystem::path& directory) {
  for (const char* file : {"catalog.db", "catalog.db-wal", "topics", "lock", "x"}) {
    const auto path = directory / file;
    tell_refusal(name + "/" + file + " write",
                 ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666) >= 0);
  }
  tell_refusal(name + " rename",
               ::rename(directory.c_str(), (directory.string() + "2").c_str()) == 0);
  tell_refusal(name + " unlink", ::unlink((directory / "control.sock").c_str()) == 0);
}

}  // namespace

void guess(const Arguments& arguments) {
  const std::filesystem::path keeper = arguments.at(1);
  guess_at_supervisor(arguments.at(0), arguments.at(3), arguments.at(4));
  guess_at_keeper(keeper, arguments.at(2), arguments.at(3));
  guess_at_files("state", arguments.at(2));
  for (const char* file : {"", "catalog.db", "topics", "topics/.."}) {
    const std::string path = arguments.at(2) + "/" + file;
    tell_refusal("state/" + std::string(file) + " look", ::open(path.c_str(), O_RDONLY) >= 0);
  }
  guess_at_files("runtime", keeper.parent_path());
}

void guess_keeper(const Arguments& arguments) {
  guess_at_keeper(arguments.at(0), arguments.at(1), arguments.at(2));
}

}  // namespace ringway::test
