#include <fmt/format.h>
#include <librdkafka/rdkafkacpp.h>
#include <unistd.h>

#include "bench/peers/peer.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

constexpr std::uint64_t kWindow = 20'000;
constexpr int kPatienceMs = 5;
constexpr int kAllTakenMs = 20'000;
constexpr int kServedEvery = 256;  // records, between two looks at what was acknowledged

Error refused(const std::string& what) {
  return Error(ErrorCode::failed, "Kafka", what, "see whether the broker answers");
}

std::unique_ptr<RdKafka::Conf> settings(
    std::initializer_list<std::pair<const char*, std::string>> wanted) {
  std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  std::string why;
  for (const auto& [name, value] : wanted) {
    if (conf->set(name, value, why) != RdKafka::Conf::CONF_OK) throw refused(why);
  }
  return conf;
}

class KafkaSender : public Sender {
 public:
  KafkaSender(const std::string& brokers, std::string topic, bool at_once)
      : topic_(std::move(topic)) {
    std::string why;
    producer_.reset(RdKafka::Producer::create(settings({{"bootstrap.servers", brokers},
                                                        {"acks", "1"},
                                                        {"linger.ms", at_once ? "0" : "1"}})
                                                  .get(),
                                              why));
    if (!producer_) throw refused(why);
  }
  void send(std::span<const std::byte> record) override {
    for (;;) {
      const RdKafka::ErrorCode error = producer_->produce(
          topic_, 0, RdKafka::Producer::RK_MSG_COPY, const_cast<std::byte*>(record.data()),
          record.size(), nullptr, 0, 0, nullptr);
      if (error == RdKafka::ERR_NO_ERROR) break;
      if (error != RdKafka::ERR__QUEUE_FULL) throw refused(RdKafka::err2str(error));
      producer_->poll(kPatienceMs);
    }
    if (++sent_ % kServedEvery == 0) producer_->poll(0);
  }
  void flush() override {
    const RdKafka::ErrorCode error = producer_->flush(kAllTakenMs);
    if (error != RdKafka::ERR_NO_ERROR) throw refused(RdKafka::err2str(error));
  }

 private:
  std::string topic_;
  std::unique_ptr<RdKafka::Producer> producer_;
  std::uint64_t sent_ = 0;
};

class KafkaReceiver : public Receiver {
 public:
  KafkaReceiver(const std::string& brokers, const std::string& topic) {
    std::string why;
    consumer_.reset(RdKafka::KafkaConsumer::create(
        settings({{"bootstrap.servers", brokers},
                  {"group.id", topic},
                  {"allow.auto.create.topics", "true"},
                  {"fetch.wait.max.ms", "5"}})
            .get(),
        why));
    if (!consumer_) throw refused(why);
    const std::unique_ptr<RdKafka::TopicPartition> from(
        RdKafka::TopicPartition::create(topic, 0, RdKafka::Topic::OFFSET_BEGINNING));
    const RdKafka::ErrorCode error = consumer_->assign({from.get()});
    if (error != RdKafka::ERR_NO_ERROR) throw refused(RdKafka::err2str(error));
  }
  ~KafkaReceiver() override { consumer_->close(); }
  std::span<const std::byte> receive() override {
    message_.reset(consumer_->consume(kPatienceMs));
    switch (message_->err()) {
      case RdKafka::ERR_NO_ERROR:
        return {static_cast<const std::byte*>(message_->payload()), message_->len()};
      case RdKafka::ERR__TIMED_OUT:
      case RdKafka::ERR__PARTITION_EOF:
      case RdKafka::ERR_UNKNOWN_TOPIC_OR_PART:  // its first record makes it
        return {};
      default:
        throw refused(message_->errstr());
    }
  }

 private:
  std::unique_ptr<RdKafka::KafkaConsumer> consumer_;
  std::unique_ptr<RdKafka::Message> message_;
};

}  // namespace

Candidate kafka(const std::string& brokers) {
  return {"kafka", [brokers](std::uint64_t) {
            // A topic is left behind: which broker may delete topics is its owner's to say.
            static int made = 0;
            const std::string prefix = fmt::format("ringway-peer-{}-{}", ::getpid(), ++made);
            const auto topic = [prefix](const Lane& lane) {
              return fmt::format("{}-{}", prefix, lane.number);
            };
            return std::make_unique<Peer>(Peer{
                .name = "kafka",
                .about = "Kafka at " + brokers + " through librdkafka, acks=1",
                .persisted = "in the page cache when acknowledged",
                .window = kWindow,
                .sender =
                    [brokers, topic](const Lane& lane) {
                      return std::make_unique<KafkaSender>(brokers, topic(lane), lane.at_once);
                    },
                .receiver =
                    [brokers, topic](const Lane& lane) {
                      return std::make_unique<KafkaReceiver>(brokers, topic(lane));
                    }});
          }};
}

}  // namespace ringway::peers
