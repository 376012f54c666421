#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace ringway::cli::top {

enum class Characters : unsigned char { ascii, utf8 };

/// The last `width` values, each a character as high as it is beside the largest of them; the
/// newest stands on the right. Spaces where there are fewer.
std::string sparkline(const std::deque<double>& values, std::size_t width, Characters characters);

}  // namespace ringway::cli::top
