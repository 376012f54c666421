#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/wire.hpp"

namespace ringway::daemon {

/// The beginning of a list, as much as has room in a reply: `bytes` of JSON.
class ShortList {
 public:
  explicit ShortList(std::size_t bytes) : room_(bytes) {}

  void add(nlohmann::json entry) {
    const std::size_t bytes = control::text_of(entry).size() + 1;  // and a comma
    if (left_out_ == 0 && bytes <= room_) {
      room_ -= bytes;
      entries_.push_back(std::move(entry));
    } else {
      ++left_out_;
    }
  }

  const nlohmann::json& entries() const noexcept { return entries_; }
  std::size_t left_out() const noexcept { return left_out_; }

 private:
  std::size_t room_;
  nlohmann::json entries_ = nlohmann::json::array();
  std::size_t left_out_ = 0;
};

}  // namespace ringway::daemon
