#include "tools/top/controls.hpp"

#include <algorithm>

namespace ringway::cli::top {

void Controls::press(Key key) {
  using Name = Key::Name;
  if (typing_) return type(key);
  if (help_) {
    help_ = false;
    // What ends the program does so from here, too.
    quits_ = key.name == Name::character && key.character == 'q';
    return;
  }
  switch (key.name) {
    case Name::character:
      return command(key.character);
    case Name::up:
      first_ -= std::min<std::size_t>(first_, 1);
      break;
    case Name::down:
      ++first_;
      break;
    case Name::page_up:
      first_ -= std::min(first_, room_);
      break;
    case Name::page_down:
      first_ += room_;
      break;
    case Name::home:
      first_ = 0;
      break;
    case Name::end:
      first_ = static_cast<std::size_t>(-1) / 2;
      break;
    case Name::escape:
      filter({});
      break;
    case Name::tab:
      show(static_cast<Kind>((static_cast<std::size_t>(kind_) + 1) % kKinds));
      break;
    default:
      break;
  }
}

void Controls::command(char character) {
  switch (character) {
    case 'q':
      quits_ = true;
      break;
    case 'h':
    case '?':
      help_ = true;
      break;
    case 'p':
    case ' ':
      paused_ = !paused_;
      break;
    case '/':
      typing_ = true;
      filter_before_ = choice().filter;
      break;
    case 's':
    case '>':
      sort_by(+1);
      break;
    case 'S':
    case '<':
      sort_by(-1);
      break;
    case 'r': {
      Choice& mine = choices_[static_cast<std::size_t>(kind_)];
      mine.reversed = !mine.reversed;
      break;
    }
    case '1':
    case '2':
    case '3':
    case '4':
      show(static_cast<Kind>(character - '1'));
      break;
    case 'k':
      press({Key::Name::up});
      break;
    case 'j':
      press({Key::Name::down});
      break;
    default:
      break;
  }
}

void Controls::type(Key key) {
  std::string text = choice().filter;
  switch (key.name) {
    case Key::Name::enter:
      typing_ = false;
      break;
    case Key::Name::escape:
      typing_ = false;
      filter(filter_before_);
      break;
    case Key::Name::backspace:
      if (!text.empty()) text.pop_back();
      filter(text);
      break;
    case Key::Name::character:
      filter(text + key.character);
      break;
    default:
      break;
  }
}

/// Which topics are looked at is the same in all views.
void Controls::filter(std::string text) {
  for (Choice& each : choices_) each.filter = text;
  first_ = 0;
}

void Controls::show(Kind kind) {
  kind_ = kind;
  first_ = 0;
}

void Controls::sort_by(int step) {
  Choice& mine = choices_[static_cast<std::size_t>(kind_)];
  const std::size_t columns = headings_of(kind_).size();
  mine.sort = (mine.sort + columns + static_cast<std::size_t>(step)) % columns;
  mine.reversed = false;
  first_ = 0;
}

std::size_t Controls::first_line(std::size_t lines, std::size_t room) noexcept {
  room_ = std::max<std::size_t>(room, 1);
  first_ = std::min(first_, lines - std::min(lines, room_));
  return first_;
}

}  // namespace ringway::cli::top
