#pragma once
// printf into a string: tables and sentences with numbers.

#include <string>

namespace trireme {

/// Whole, however long. Throws Error(internal) for what printf can't write.
[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...);

}  // namespace trireme
