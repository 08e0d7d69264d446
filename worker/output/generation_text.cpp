#include "worker/output/generation_text.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

namespace trireme {
namespace {

/// The shortest digits that read back as the same number, whatever the locale.
std::string number(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

/// As picture viewers know it.
std::string sampler_name(const Item& item) { return item.sampler == "midpoint" ? "Midpoint" : "Euler"; }

// Ref: AUTOMATIC1111 stable-diffusion-webui modules/processing.py, create_infotext
std::string parameters(const Item& item, const PictureFacts& facts) {
  std::string text = item.prompt + "\n";
  if (!item.negative_prompt.empty()) text += "Negative prompt: " + item.negative_prompt + "\n";
  text += "Steps: " + std::to_string(item.steps) + ", Sampler: " + sampler_name(item) +
          ", CFG scale: " + number(item.guidance) + ", Seed: " + std::to_string(item.seed) +
          ", Size: " + std::to_string(item.width) + "x" + std::to_string(item.height) + ", Model: " + facts.model +
          ", Version: " + facts.program;
  return text;
}

std::string exact(const Item& item, const PictureFacts& facts) {
  nlohmann::ordered_json json = {{"id", item.id},
                                 {"prompt", item.prompt},
                                 {"negative_prompt", item.negative_prompt},
                                 {"seed", item.seed},
                                 {"width", item.width},
                                 {"height", item.height},
                                 {"steps", item.steps},
                                 {"guidance", item.guidance},
                                 {"cfg_truncation", item.cfg_truncation},
                                 {"cfg_normalization", item.cfg_normalization},
                                 {"shift", item.shift},
                                 {"sampler", sampler_name(item)},
                                 {"dtype", facts.dtype},
                                 {"model", facts.model},
                                 {"fingerprint", facts.fingerprint},
                                 {"program", facts.program}};
  if (!item.system_prompt.empty()) json["system_prompt"] = item.system_prompt;
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::vector<PngText> generation_texts(const Item& item, const PictureFacts& facts) {
  return {{"parameters", parameters(item, facts)}, {"trireme", exact(item, facts)}};
}

}  // namespace trireme
