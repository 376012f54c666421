#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace ringway::control {

/// The known word that somebody may have meant who wrote `unknown`; none where all are far from it.
std::optional<std::string_view> nearest_word(std::string_view unknown,
                                             std::span<const std::string_view> known);

}  // namespace ringway::control
