#include "tools/bench/report/bar_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/bench/figure_text.hpp"
#include "tools/bench/report/markup.hpp"

namespace ringway::cli {
namespace {

// In the units of the drawing: a column for labels, one for bars, one for values.
constexpr double kWidth = 960, kLabelEnd = 276, kPlot = 288, kPlotEnd = 700, kText = 716;
constexpr double kWideLetter = 6.7;  // on average, of the labels and notes, in a wide font
constexpr double kRow = 42, kAxis = 26;

std::string head(double height, const std::string& what) {
  return fmt::format(R"(<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">)", kWidth, height,
                     escaped(what));
}

std::string text(double x, double y, const char* kind, const std::string& words) {
  return fmt::format(R"(<text x="{:g}" y="{:g}" class="{}">{}</text>)", x, y, kind, escaped(words));
}

/// The same no wider than `room`: what could be is drawn narrower.
std::string text_within(double room, double x, double y, const char* kind,
                        const std::string& words) {
  const auto letters = std::ranges::count_if(
      words, [](char each) { return (static_cast<unsigned char>(each) & 0xc0) != 0x80; });
  if (kWideLetter * static_cast<double>(letters) <= room) return text(x, y, kind, words);
  return fmt::format(R"(<text x="{:g}" y="{:g}" class="{}" textLength="{:g}" )"
                     R"(lengthAdjust="spacingAndGlyphs">{}</text>)",
                     x, y, kind, room, escaped(words));
}
std::string label(double y, const std::string& words) {
  return text_within(kLabelEnd, kLabelEnd, y, "label", words);
}
std::string note(double y, const std::string& words) {
  return words.empty() ? words : text_within(kWidth - kText, kText, y, "note", words);
}

std::string box(double from, double to, double y, double height, const std::string& kind) {
  return fmt::format(
      R"(<rect x="{:.1f}" y="{:g}" width="{:.1f}" height="{:g}" rx="2" class="{}"/>)", from, y,
      std::max(to - from, 1.0), height, kind);
}

std::string upright(double x, double from, double to, const char* kind) {
  return fmt::format(R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:g}" y2="{2:g}" class="{3}"/>)", x,
                     from, to, kind);
}

std::string class_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::miss:
      return "miss";
    default:
      return "plain";
  }
}

/// 1, 2 or 5 times a power of ten: at least `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

/// Where a value stands between the column's ends.
class Scale {
 public:
  Scale(double low, double high, bool decades) : low_(low), high_(high), decades_(decades) {
    if (decades_) {
      low_ = std::pow(10, std::floor(std::log10(low)));
      high_ = std::max(std::pow(10, std::ceil(std::log10(high))), low_ * 10);
      for (double at = low_; at <= high_ * 1.001; at *= 10) ticks_.push_back(at);
    } else {
      low_ = 0;
      const double step = round_step(high / 4);
      high_ = step * std::ceil(high / step);
      for (double at = 0; at <= high_ * 1.001; at += step) ticks_.push_back(at);
    }
  }
  double x(double value) const {
    const double share =
        decades_ ? std::log10(std::max(value, low_) / low_) / std::log10(high_ / low_)
                 : value / high_;
    return kPlot + std::clamp(share, 0.0, 1.0) * (kPlotEnd - kPlot);
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double low_, high_;
  bool decades_;
  std::vector<double> ticks_;
};

std::string row_of(const Bar& bar, const Scale& scale, const std::string& figure, double y) {
  std::string out = label(y + 25, bar.label);
  if (!bar.value) return out + text(kPlot, y + 25, "note", kNotMeasured);
  if (bar.limit) out += box(kPlot, scale.x(*bar.limit), y + 8, 26, "limit");
  out += box(kPlot, scale.x(*bar.value), y + 14, 14, "bar " + class_of(bar.verdict));
  if (bar.target) out += upright(scale.x(*bar.target), y + 5, y + 37, "target");
  out += text(kText, y + 19, "value", figure_text(figure, bar.value));
  return out + note(y + 34, bar.note);
}

}  // namespace

std::string svg_of(const BarChart& chart) {
  double low = 0, high = 0;
  for (const Bar& bar : chart.bars) {
    for (const auto& each : {bar.value, bar.limit, bar.target}) {
      if (!each || *each <= 0) continue;
      low = low == 0 ? *each : std::min(low, *each);
      high = std::max(high, *each);
    }
  }
  const double end = kRow * static_cast<double>(chart.bars.size());
  std::string out = head(end + kAxis, chart.figure);
  const Scale scale(high == 0 ? 1 : low, high == 0 ? 1 : high, chart.decades);
  if (high != 0) {
    for (const double tick : scale.ticks()) {
      out += upright(scale.x(tick), 0, end, "grid");
      out += text(scale.x(tick), end + 17, "tick", tick == 0 ? "0" : tick_text(chart.figure, tick));
    }
  }
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    out += row_of(chart.bars[i], scale, chart.figure, kRow * static_cast<double>(i));
  }
  return out + "</svg>\n";
}

std::string svg_of(const std::vector<Distance>& distances) {
  constexpr double kHigh = 2, kDense = 24;
  const double end = kDense * static_cast<double>(distances.size());
  std::string out = head(end + kAxis, "every row against its target");
  const auto x = [](double at) {
    return kPlot + std::clamp(at / kHigh, 0.0, 1.0) * (kPlotEnd - kPlot);
  };
  for (const double tick : {0.0, 0.5, 1.0, 1.5, 2.0}) {
    out += upright(x(tick), 0, end, tick == 1 ? "target" : "grid");
    out += text(x(tick), end + 17, "tick",
                tick == 1 ? "target" : tick == kHigh ? "2 and more" : fmt::format("{:g}", tick));
  }
  for (std::size_t i = 0; i < distances.size(); ++i) {
    const Distance& each = distances[i];
    const double y = kDense * static_cast<double>(i) + kDense / 2;
    out += label(y + 4, each.label);
    out += box(x(each.from), x(each.to), y - 2, 4, "range " + class_of(each.verdict));
    out += fmt::format(R"(<circle cx="{:.1f}" cy="{:g}" r="5" class="bar {}"/>)", x(each.at), y,
                       class_of(each.verdict));
    out += note(y + 4, fmt::format("{:.2f} of the target: {}", each.at, name_of(each.verdict)));
  }
  return out + "</svg>\n";
}

}  // namespace ringway::cli
