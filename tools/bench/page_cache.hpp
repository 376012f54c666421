#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

// Files and what the kernel has of them in memory: what cold and warm reading differ in.

namespace ringway::cli {

using Files = std::vector<std::filesystem::path>;

/// Every file below `directory` whose name ends with `extension` (".log"), in the order of names.
/// Throws std::filesystem::filesystem_error.
Files files_below(const std::filesystem::path& directory, const std::string& extension);

std::uint64_t bytes_of(const Files& files);

/// Which share of their pages is in memory, 0..1; of no pages all are. Throws Error.
double resident_share(const Files& files);

/// Asks the kernel to forget them: what is dirty goes to the device first. Throws Error.
void forget(const Files& files);

}  // namespace ringway::cli
