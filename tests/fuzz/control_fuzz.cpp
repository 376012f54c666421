// Messages of the control protocol, as either side gets them from the other.

#include "control/messages.hpp"
#include "control/wire.hpp"
#include "fuzz/input.hpp"
#include "ringway/error.hpp"

using namespace ringway;
using fuzz::demand;

namespace {

template <class Reply>
void read_reply(const control::Envelope& envelope) {
  std::string again;
  try {
    again = control::encode(envelope.id, control::Reply(control::decode_reply<Reply>(envelope)));
  } catch (const Error&) {
    return;
  }
  // What was understood once is understood the same way from what it is written as.
  const auto reply = control::decode_reply<Reply>(control::open_envelope(again));
  demand(control::encode(envelope.id, control::Reply(reply)) == again, "a reply survives");
}

void read_request(const control::Envelope& envelope) {
  std::string again;
  try {
    const control::Request request = control::decode_request(envelope);
    if (const auto* create = std::get_if<control::CreateTopic>(&request)) {
      try {
        control::validate(control::settle(create->settings));
        control::validate_topic_name(create->name);
      } catch (const Error&) {
      }
    }
    again = control::encode(envelope.id, request);
  } catch (const Error&) {
    return;
  }
  const control::Request request = control::decode_request(control::open_envelope(again));
  demand(control::encode(envelope.id, request) == again, "a request survives");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), bytes);
  try {
    const control::Envelope envelope = control::open_envelope(text);
    read_request(envelope);
    read_reply<control::Done>(envelope);
    read_reply<control::Welcome>(envelope);
    read_reply<control::TopicCreated>(envelope);
    read_reply<control::TopicList>(envelope);
    read_reply<control::TopicDescription>(envelope);
    read_reply<control::StatusReport>(envelope);
    read_reply<control::Opened>(envelope);
    read_reply<control::SegmentFound>(envelope);
    read_reply<control::CursorList>(envelope);
  } catch (const Error&) {
  }
  return 0;
}
