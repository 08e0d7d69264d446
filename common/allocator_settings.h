#pragma once
// memory.allocator: settings of LibTorch's caching allocator in its own notation ("expandable_segments:True,
// max_split_size_mb:512"), checked before any GPU is touched. Only settings that can't change a result's bits and that
// leave memory.fraction in force are let through.

#include <optional>
#include <string>
#include <string_view>

namespace trireme {

/// What is wrong with `settings` and what would be right; nothing: LibTorch takes them.
std::optional<std::string> problem_of_allocator(std::string_view settings);

}  // namespace trireme
