#include "tools/top/screen.hpp"

#include <fmt/format.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "ringway/error.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/top/figures.hpp"
#include "tools/top/fitting.hpp"
// Last: its macros have common names.
#define NCURSES_NOMACROS 1
#include <curses.h>

namespace ringway::cli::top {
namespace {

enum Pair : short { kBad = 1, kSlow = 2, kGood = 3 };

constexpr int kHeadRows = 3;
constexpr int kEscapeKey = 27;

constexpr std::array<std::string_view, 14> kHelp{
    "ringway top: what every topic does now, read from shared memory",
    "",
    "  1 2 3 4, Tab   topics, partitions, consumers, producers",
    "  s S (> <)      sort by the next or previous column; r turns it round",
    "  /              filter topics by name: Enter keeps it, Esc takes it back",
    "  Esc            no filter",
    "  arrows, j k, PgUp PgDn, Home End   scroll",
    "  p, Space       pause",
    "  h, ?           this text",
    "  q, Ctrl-C      quit",
    "",
    "  LAG is the slowest consumer's, in records; FILL the fullest partition's.",
    "  '-': not known yet, or not for this user to see.",
    "  Any other key goes back from here; q quits."};

void demand_terminal(int fd, std::string_view name) {
  if (isatty(fd) == 1) return;
  throw Error(ErrorCode::usage, "top",
              fmt::format("{} is not a terminal, and it draws on one", name),
              "without one use: ringway status --watch");
}

}  // namespace

Screen::Screen() : characters_(Characters::ascii) {
  demand_terminal(STDIN_FILENO, "standard input");
  demand_terminal(STDOUT_FILENO, "standard output");
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) == "UTF-8") characters_ = Characters::utf8;
  if (newterm(nullptr, stdout, stdin) == nullptr) {
    const char* terminal = std::getenv("TERM");
    throw Error(ErrorCode::usage, fmt::format("TERM '{}'", terminal == nullptr ? "" : terminal),
                "is no terminal that curses knows here",
                "say which one it is: TERM=vt100 ringway top, or install ncurses-term");
  }
  cbreak();
  noecho();
  nonl();
  curs_set(0);
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(50);
  coloured_ = style_of(STDOUT_FILENO) == Style::coloured && has_colors();
  if (coloured_) {
    start_color();
    use_default_colors();
    init_pair(kBad, COLOR_RED, -1);
    init_pair(kSlow, COLOR_YELLOW, -1);
    init_pair(kGood, COLOR_GREEN, -1);
  }
}

Screen::~Screen() {
  endwin();
}

std::optional<Key> Screen::key() {
  using Name = Key::Name;
  const int pressed = getch();
  switch (pressed) {
    case ERR:
      return {};
    case KEY_UP:
      return Key{Name::up};
    case KEY_DOWN:
      return Key{Name::down};
    case KEY_PPAGE:
      return Key{Name::page_up};
    case KEY_NPAGE:
      return Key{Name::page_down};
    case KEY_HOME:
      return Key{Name::home};
    case KEY_END:
      return Key{Name::end};
    case KEY_BACKSPACE:
    case 127:
    case '\b':
      return Key{Name::backspace};
    case KEY_ENTER:
    case '\r':
    case '\n':
      return Key{Name::enter};
    case '\t':
      return Key{Name::tab};
    case kEscapeKey:
      return Key{Name::escape};
    default:
      break;
  }
  if (pressed >= ' ' && pressed < 256) return Key{Name::character, static_cast<char>(pressed)};
  return Key{};
}

void Screen::put(int row, const std::string& text, int attributes) {
  if (row < 0 || row >= LINES) return;
  attrset(static_cast<attr_t>(attributes));
  mvaddstr(row, 0, cut(text, static_cast<std::size_t>(std::max(COLS, 0))).c_str());
  attrset(A_NORMAL);
}

void Screen::head(const History& history, const Controls& controls) {
  const BusSample& sample = history.sample();
  const int bad = coloured_ ? COLOR_PAIR(kBad) | A_BOLD : A_BOLD;
  double records = 0;
  double bytes = 0;
  for (std::size_t t = 0; t < sample.topics.size(); ++t) {
    records += history.facts(t).speed.records.value_or(0);
    bytes += history.facts(t).speed.bytes.value_or(0);
  }
  std::string line = fmt::format("ringway top  {}", counted(sample.topics.size(), "topic"));
  if (sample.hidden != 0) line += fmt::format(" and {} that you may not see", sample.hidden);
  line += fmt::format("  {} rec/s  {}/s", compact(records), compact_bytes(bytes));
  if (controls.paused()) line += "  PAUSED";
  put(0, line, A_BOLD);
  if (sample.answers) {
    const bool well = sample.state == "serving";
    std::string about = fmt::format("supervisor {} {}", sample.pid, sample.state);
    if (!well) about += ": see ringway status";
    put(1, about, well ? (coloured_ ? COLOR_PAIR(kGood) : A_NORMAL) : bad);
  } else {
    put(1, fmt::format("NO SUPERVISOR: {}", printable(sample.state, characters_)), bad);
  }
}

void Screen::body(const History& history, Controls& controls) {
  const Table table = table_of(history, controls.choice());
  const auto width = static_cast<std::size_t>(std::max(COLS, 1));
  const Fitted fitted = fit(table, width);
  put(2, text_of(table, fitted, nullptr, width, characters_), A_REVERSE);
  const int room = std::max(LINES - kHeadRows - 1, 1);
  const std::size_t first =
      controls.first_line(table.lines.size(), static_cast<std::size_t>(room));
  const std::size_t last = std::min(table.lines.size(), first + static_cast<std::size_t>(room));
  for (std::size_t at = first; at < last; ++at) {
    const Line& line = table.lines[at];
    int look = A_NORMAL;
    if (line.mood == Mood::bad) look = coloured_ ? COLOR_PAIR(kBad) | A_BOLD : A_BOLD;
    if (line.mood == Mood::slow) look = coloured_ ? COLOR_PAIR(kSlow) : A_BOLD;
    put(kHeadRows + static_cast<int>(at - first),
        text_of(table, fitted, &line, width, characters_), look);
  }
  if (table.lines.empty()) {
    put(kHeadRows, fmt::format("no {} to show", name_of(controls.choice().kind)), A_NORMAL);
  }
  const Choice& choice = controls.choice();
  std::string foot;
  if (controls.typing()) {
    foot = fmt::format("filter: {}_", printable(choice.filter, characters_));
  } else {
    foot = fmt::format("{} {}-{} of {}, by {}{}", name_of(choice.kind),
                       table.lines.empty() ? 0 : first + 1, last, table.lines.size(),
                       table.headings[choice.sort].text, choice.reversed ? " reversed" : "");
    if (!choice.filter.empty()) {
      foot += fmt::format(", with '{}'", printable(choice.filter, characters_));
    }
    foot += "  1-4 view  s sort  / filter  p pause  h help  q quit";
  }
  put(LINES - 1, foot, A_REVERSE);
}

void Screen::help() {
  int row = 0;
  for (const std::string_view line : kHelp) put(row++, std::string(line), A_NORMAL);
}

void Screen::draw(const History& history, Controls& controls) {
  erase();
  if (controls.help()) {
    help();
  } else {
    head(history, controls);
    body(history, controls);
  }
  refresh();
}

}  // namespace ringway::cli::top
