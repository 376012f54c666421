#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "tools/top/view.hpp"

namespace ringway::cli::top {

/// A key as somebody pressed it: a character, or one of those that are none.
struct Key {
  enum class Name : unsigned char {
    character,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    enter,
    escape,
    backspace,
    tab,
    other
  };
  Name name = Name::other;
  char character = '\0';
};

/// What the keys have led to: which view, how sorted and filtered, how far down. Pure. One thread.
class Controls {
 public:
  void press(Key key);

  const Choice& choice() const noexcept { return choices_[static_cast<std::size_t>(kind_)]; }
  bool quits() const noexcept { return quits_; }
  bool paused() const noexcept { return paused_; }
  bool help() const noexcept { return help_; }
  /// A filter is being typed: keys are its characters.
  bool typing() const noexcept { return typing_; }

  /// The first line to be shown of `lines`, where the screen has room for `room`.
  std::size_t first_line(std::size_t lines, std::size_t room) noexcept;

 private:
  void type(Key key);
  void command(char character);
  void show(Kind kind);
  void sort_by(int step);
  void filter(std::string text);

  std::array<Choice, kKinds> choices_{Choice{.kind = Kind::topics, .sort = 1},
                                      Choice{.kind = Kind::partitions, .sort = 2},
                                      Choice{.kind = Kind::consumers, .sort = 5},
                                      Choice{.kind = Kind::producers}};
  Kind kind_ = Kind::topics;
  bool quits_ = false, paused_ = false, help_ = false, typing_ = false;
  std::string filter_before_;  ///< for escape
  std::size_t first_ = 0, room_ = 1;
};

}  // namespace ringway::cli::top
