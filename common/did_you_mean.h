#pragma once
// "did you mean" over explicit lists: what an error says about a misspelt key, value or subcommand. Nothing throws.

#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; letters compare without case,
/// and
/// '-' equals '_'.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// "; did you mean 'width'?" for a near miss, else "; known: a, b, c" for a short list, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace trireme
