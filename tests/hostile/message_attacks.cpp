// What can be sent to the control socket, and how often.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "control/channel.hpp"
#include "hostile/attack.hpp"
#include "shm/uuid.hpp"

namespace ringway::test {
namespace {

using Random = std::mt19937_64;
using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr auto kNow = std::chrono::milliseconds(0);

/// SEQPACKET without the channel's manners.
ssize_t send_raw(int socket, std::string_view text, std::size_t descriptors = 0) {
  std::array<int, 300> files;
  files.fill(STDIN_FILENO);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof files)> control{};
  iovec data{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (descriptors != 0) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
    std::memcpy(CMSG_DATA(part), files.data(), descriptors * sizeof(int));
  }
  return ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

Json any_value(Random& random, int depth = 0) {
  switch (random() % (depth > 3 ? 8 : 10)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return random();
    case 3:
      return -static_cast<std::int64_t>(random() >> 1);
    case 4:
      return 1e308 * static_cast<double>(random() % 100);
    case 5:
      return std::string(random() % 2000, static_cast<char>('a' + random() % 26));
    case 6:
      return "t";
    case 7:
      return random() % 16;
    case 8: {
      Json list = Json::array();
      for (auto left = random() % 5; left > 0; --left) list.push_back(any_value(random, depth + 1));
      return list;
    }
    default: {
      Json object = Json::object();
      for (const char* name : {"name", "offset", "partitions", "op"}) {
        if (random() % 2 == 0) object[name] = any_value(random, depth + 1);
      }
      return object;
    }
  }
}

Json right_request(Random& random, const std::string& topic) {
  const Json all[] = {
      {{"op", "hello"}, {"protocol", 1}, {"client", "x"}, {"session", random() % 100}},
      {{"op", "create_topic"}, {"name", "mine"}, {"settings", {{"partitions", 2}}}},
      {{"op", "delete_topic"}, {"name", topic}},
      {{"op", "list_topics"}, {"after", ""}, {"max", 10}},
      {{"op", "describe_topic"}, {"name", topic}},
      {{"op", "status"}},
      {{"op", "open"}, {"topic", topic}, {"role", "consumer"}, {"mapped_generation", 1}},
      {{"op", "open"}, {"topic", topic}, {"role", "producer"}},
      {{"op", "close"}, {"handle", random() % 1000}},
      {{"op", "segment"},
       {"topic", "00000000-0000-0000-0000-000000000000"},
       {"partition", 0},
       {"at", {{"offset", random()}}}},
      {{"op", "cursor_list"}, {"topic", topic}},
      {{"op", "cursor_delete"}, {"topic", topic}, {"name", "c"}},
  };
  Json chosen = all[random() % std::size(all)];
  chosen["id"] = random() % 1000;
  return chosen;
}

/// A request with one thing about it wrong, or several.
std::string wrong_request(Random& random, const std::string& topic) {
  Json request = right_request(random, topic);
  for (auto& [name, value] : request.items()) {
    if (random() % 3 == 0) value = any_value(random);
  }
  if (random() % 4 == 0) request.erase(request.begin());
  std::string text = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  switch (random() % 8) {
    case 0:  // half of it
      return text.substr(0, 1 + random() % text.size());
    case 1:
      for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
      return text;
    case 2:
      return text + text;
    default:
      return text;
  }
}

std::string deep(Random& random) {
  const std::size_t depth = 1 + random() % (control::kMessageBytesMax / 2 - 200);
  const std::string inside = std::string(depth, '[') + std::string(depth, ']');
  return R"({"id":1,"op":"create_topic","name":"x","settings":{"readers":)" + inside + "}}";
}

std::string long_text(Random& random) {
  const std::size_t bytes = control::kMessageBytesMax - 100 + random() % 300;
  return R"({"id":1,"op":"hello","protocol":1,"client":")" + std::string(bytes, 'x') + "\"}";
}

struct Counts {
  std::uint64_t connections = 0, sent = 0, answered = 0, refused_to_send = 0, closed = 0;
};

/// Takes what came back; false when the other side has hung up.
bool hear(control::Channel& channel, Counts& counts, std::chrono::milliseconds patience) {
  for (;;) {
    control::Message message;
    switch (channel.receive(message, patience)) {
      case control::Arrival::message:
        ++counts.answered;
        break;
      case control::Arrival::nothing:
        return true;
      default:
        ++counts.closed;
        return false;
    }
    patience = kNow;
  }
}

void rave_once(Random& random, const std::string& socket, const std::string& topic,
               Counts& counts) {
  control::Channel channel = control::Channel::connect(socket);
  ++counts.connections;
  if (random() % 4 != 0) {
    channel.send(R"({"id":1,"op":"hello","protocol":1,"client":"raver"})", {}, 5s);
    if (!hear(channel, counts, 20s)) return;
  }
  const bool deaf = random() % 8 == 0;  // never reads what it is told
  for (auto left = 1 + random() % 40; left > 0; --left) {
    std::string text;
    std::size_t descriptors = 0;
    switch (random() % 16) {
      case 0:
        break;  // empty
      case 1:
        text = deep(random);
        break;
      case 2:
        text = long_text(random);
        break;
      case 3:
        text.assign(1 << (random() % 19), static_cast<char>(random()));
        break;
      case 4:
        text = wrong_request(random, topic);
        descriptors = std::array<std::size_t, 5>{1, 2, 252, 253, 254}[random() % 5];
        break;
      case 5:
        descriptors = 253;  // and nothing else
        break;
      case 6:
        text = right_request(random, topic).dump();
        break;
      default:
        text = wrong_request(random, topic);
    }
    if (send_raw(channel.fd(), text, descriptors) >= 0) {
      ++counts.sent;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      ++counts.closed;
      return;
    } else {
      ++counts.refused_to_send;  // by the kernel: 254 descriptors, a congested peer
    }
    if (!deaf && !hear(channel, counts, kNow)) return;
  }
  if (random() % 3 == 0) ::shutdown(channel.fd(), random() % 2 == 0 ? SHUT_RD : SHUT_WR);
  hear(channel, counts, deaf ? kNow : 5ms);
}

}  // namespace

void rave(const Arguments& arguments) {
  Random random(std::stoull(arguments.at(2)));
  const Span span(arguments.at(3));
  Counts counts;
  while (!span.over()) rave_once(random, arguments.at(0), arguments.at(1), counts);
  tell("connections", std::to_string(counts.connections));
  tell("sent", std::to_string(counts.sent));
  tell("answered", std::to_string(counts.answered));
  tell("not sent", std::to_string(counts.refused_to_send));
  tell("closed", std::to_string(counts.closed));
}

void flood(const Arguments& arguments) {
  const rlimit all{4096, 4096};
  ::setrlimit(RLIMIT_NOFILE, &all);
  const Span span(arguments.at(1));
  std::vector<control::Channel> held;
  std::uint64_t made = 0, failed = 0;
  while (!span.over()) {
    try {
      held.push_back(control::Channel::connect(arguments.at(0)));
      ++made;
    } catch (const Error&) {
      ++failed;
    }
    if (held.size() >= 1000) held.erase(held.begin(), held.begin() + 500);
  }
  tell("connected", std::to_string(made));
  tell("failed", std::to_string(failed));
}

void churn(const Arguments& arguments) {
  const std::string& socket = arguments.at(0);
  const std::string& topic = arguments.at(1);
  const Span span(arguments.at(2));
  const std::uint64_t wanted = std::stoull(arguments.at(3));
  std::uint64_t opened = 0, sessions = 0;
  while (opened < wanted || (wanted == 0 && !span.over())) {
    RawClient client(socket);
    ++sessions;
    for (int i = 0; i < 64; ++i) {
      control::Open open{.topic = topic};
      open.role = i % 2 == 0 ? layout::Role::producer : layout::Role::consumer;
      if (i % 8 == 1) open.cursor = "churn " + std::to_string(::getpid());
      const auto handle = client.call(open).handle;
      ++opened;
      // Of the first sessions the last one is left to the hang-up. It stays ours while we live.
      if (i < 63 || sessions > 32) client.call(control::Close{.handle = handle});
    }
  }
  tell("opened", std::to_string(opened));
  tell("sessions", std::to_string(sessions));
}

void linger(const Arguments& arguments) {
  // A socket that cannot be closed in less than an hour: its peer takes nothing, and it must wait.
  const shm::Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), where, bytes) != 0 || ::listen(listener.get(), 8) != 0 ||
      ::getsockname(listener.get(), where, &bytes) != 0) {
    throw std::runtime_error("no listener");
  }
  shm::Descriptor slow(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(slow.get(), where, bytes) != 0) throw std::runtime_error("no connection");
  const shm::Descriptor deaf(::accept(listener.get(), nullptr, nullptr));
  const std::array<char, 65536> junk{};
  while (::send(slow.get(), junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
  }
  const ::linger hour{1, 3600};
  ::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &hour, sizeof hour);
  control::Channel channel = control::Channel::connect(arguments.at(0));
  const int files[] = {slow.get()};
  const auto sent = channel.send(R"({"id":1,"op":"hello","protocol":1,"client":"x"})", files, 5s);
  slow.reset();  // the one in the message is the last now
  tell("attached", sent == control::Delivery::sent ? "yes" : "no");
  wait_for_end_of_input();  // holding the other end
}

void slander(const Arguments& arguments) {
  RawClient client(arguments.at(0));
  control::FindSegment find{.topic = *shm::parse_uuid(arguments.at(1))};
  const auto say = [&](const std::string& name) {
    try {
      static_cast<void>(client.call(find));
      tell(name, "answered");
    } catch (const Error& error) {
      tell(name, "refused: " + std::string(error.what()));
    }
  };
  constexpr std::uint64_t kFar = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{500}, std::uint64_t{1} << 62,
                                     kFar - 1, kFar}) {
    find.unreadable = offset;
    say("of its partition");
  }
  find.partition = 1;
  say("of none");
  find.partition = std::numeric_limits<std::uint32_t>::max();
  say("of none");
}

void dress_up(const Arguments& arguments) {
  RawClient client(arguments.at(0));
  control::Channel second = control::Channel::connect(arguments.at(0));
  const Json hello{{"op", "hello"},
                   {"id", 1},
                   {"protocol", 1},
                   {"client", arguments.at(1)},
                   {"version", arguments.at(1)}};
  second.send(hello.dump(), {}, 5s);
  control::Message welcome;
  tell("greeted", second.receive(welcome, 20s) == control::Arrival::message ? "now" : "not");
  const Json create{{"op", "create_topic"}, {"id", 2}, {"name", arguments.at(1)}};
  second.send(create.dump(), {}, 5s);
  static_cast<void>(second.receive(welcome, 20s));
  wait_for_end_of_input();
}

}  // namespace ringway::test
