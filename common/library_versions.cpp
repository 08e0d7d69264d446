#include "common/library_versions.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <array>
#include <nlohmann/json.hpp>

namespace trireme {
namespace {

std::string dotted(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

LibraryVersion pcre2_version() {
  std::array<char, 64> text{};
  pcre2_config(PCRE2_CONFIG_VERSION, text.data());
  const std::string running(text.data());  // "10.42 2022-12-11"
  return {"PCRE2", std::to_string(PCRE2_MAJOR) + "." + std::to_string(PCRE2_MINOR),
          running.substr(0, running.find(' '))};
}

}  // namespace

std::string to_text(const LibraryVersion& version) {
  const std::string& best = version.running.empty() ? version.compiled : version.running;
  std::string text = version.library + " " + (best.empty() ? "none" : best);
  if (!version.running.empty() && !version.compiled.empty() && version.running != version.compiled) {
    text += " (compiled against " + version.compiled + ")";
  }
  return text;
}

std::vector<LibraryVersion> common_library_versions() {
  return {
      {"nlohmann-json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH),
       ""},
      pcre2_version(),
      {"spdlog", TRIREME_SPDLOG_VERSION, ""},
      {"utf8proc", dotted(UTF8PROC_VERSION_MAJOR, UTF8PROC_VERSION_MINOR, UTF8PROC_VERSION_PATCH), utf8proc_version()},
      {"yaml-cpp", TRIREME_YAML_CPP_VERSION, ""}};
}

}  // namespace trireme
