#pragma once
// Numbers as the report writes them. Pure.

#include <cstdarg>
#include <cstdint>
#include <optional>
#include <string>

namespace trireme::report {

std::string fixed(double value, int digits);
/// "0.214 s", "12.3 s", "4 min 07 s", "3 h 12 min"
std::string duration(double seconds);
/// A share of 1 as "37.4 %"
std::string percent(double share);
std::string gib(double bytes);
/// "-" when not known.
std::string or_dash(const std::optional<double>& value, int digits);
/// "1 item", "2 items"
std::string count(std::uint64_t number, const std::string& noun);

}  // namespace trireme::report
