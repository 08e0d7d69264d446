#include "common/allocator_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "common/did_you_mean.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::string_view kSegments = "expandable_segments", kSplit = "max_split_size_mb",
                           kThreshold = "garbage_collection_threshold";
constexpr std::array kKnown{kSegments, kSplit, kThreshold};
constexpr int kLeastSplit = 21, kMostSplit = 1'000'000;  // MB: a segment of small tensors has 20

/// What a value must be; empty: `value` is.
std::string wanted_of(std::string_view name, std::string_view value) {
  const char* const end = value.data() + value.size();
  if (name == kSegments) return value == "True" || value == "False" ? "" : "True or False";
  if (name == kSplit) {
    int number = 0;
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    const bool right = error == std::errc() && stop == end && number >= kLeastSplit && number <= kMostSplit;
    return right ? "" : "a whole number from 21 on";
  }
  double number = 0;
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  return error == std::errc() && stop == end && number > 0 && number < 1 ? "" : "between 0 and 1";
}

}  // namespace

std::optional<std::string> problem_of_allocator(std::string_view settings) {
  std::set<std::string_view> seen;
  for (std::size_t begin = 0; begin <= settings.size();) {
    const std::size_t end = std::min(settings.find(',', begin), settings.size());
    const std::string_view setting = settings.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t colon = setting.find(':');
    const std::string_view name = setting.substr(0, colon);
    if (name == "backend") return "backend: only LibTorch's own allocator keeps memory.fraction; leave it out";
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return "unknown setting '" + printable(name, 60) + "'" + did_you_mean(name, {kKnown.begin(), kKnown.end()}) +
             "; settings are NAME:VALUE, with commas between them";
    }
    if (!seen.insert(name).second) return std::string(name) + " twice";
    const std::string_view value = colon == std::string_view::npos ? "" : setting.substr(colon + 1);
    if (const std::string wanted = wanted_of(name, value); !wanted.empty()) {
      return std::string(name) + ":" + printable(value, 60) + ": must be " + wanted;
    }
  }
  return std::nullopt;
}

}  // namespace trireme
