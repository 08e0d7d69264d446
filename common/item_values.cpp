#include "common/item_values.h"

#include <algorithm>

#include "common/conversation.h"
#include "common/utf8.h"

namespace trireme {
namespace {

const std::vector<std::string_view> kPictureKeys = {
    "negative_prompt",   "width", "height",           "steps", "guidance", "sampler", "cfg_truncation",
    "cfg_normalization", "shift", "images_per_prompt"};
const std::vector<std::string_view> kTextKeys = {"images",      "messages", "system", "max_new_tokens",
                                                 "temperature", "top_k",    "top_p",  "repetition_penalty"};

/// A null is a mistake, not a default.
bool given(const JsonObject& line, const char* key) { return line.value().contains(key); }

void read_string(const JsonObject& line, const char* key, std::string& field) {
  if (given(line, key)) field = line.get_string(key);
}

template <class Number>
void read_whole(const JsonObject& line, const char* key, Number min, Number max, Number& field) {
  if (given(line, key)) field = static_cast<Number>(line.get_int(key, min, max));
}

void read_number(const JsonObject& line, const char* key, double max, double& field) {
  if (given(line, key)) field = line.get_double(key, 0, max);
}

void read_picture_values(const JsonObject& line, const SamplingDefaults& defaults, Item& item) {
  read_string(line, "negative_prompt", item.negative_prompt);
  read_whole(line, "width", 1, kMaxPixels, item.width);
  read_whole(line, "height", 1, kMaxPixels, item.height);
  read_whole(line, "steps", 1, kMaxSteps, item.steps);
  for (const char* key : {"width", "height"}) {
    const int pixels = key[0] == 'w' ? item.width : item.height;
    if (given(line, key) && pixels % defaults.size_multiple != 0) line.fail(key, wrong_size(pixels, defaults));
  }
  read_number(line, "guidance", kMaxGuidance, item.guidance);
  read_number(line, "cfg_truncation", kMaxCfgTruncation, item.cfg_truncation);
  read_number(line, "cfg_normalization", kMaxCfgNormalization, item.cfg_normalization);
  read_number(line, "shift", kMaxShift, item.shift);
  if (item.shift == 0) line.fail("shift", "0 makes no schedule; give more than 0");
  read_string(line, "sampler", item.sampler);
  const auto& samplers = defaults.samplers;
  if (std::find(samplers.begin(), samplers.end(), item.sampler) == samplers.end()) {
    line.fail("sampler", "'" + printable(item.sampler, 60) + "' is not available for this model; use " + samplers[0]);
  }
  read_string(line, "system_prompt", item.system_prompt);
}

void read_text_values(const JsonObject& line, Item& item) {
  read_whole(line, "max_new_tokens", 1, kMaxNewTokens, item.max_new_tokens);
  read_whole(line, "top_k", 0, kMaxTopK, item.top_k);
  read_number(line, "temperature", kMaxTemperature, item.temperature);
  read_number(line, "top_p", kMaxTopP, item.top_p);
  read_number(line, "repetition_penalty", kMaxRepetitionPenalty, item.repetition_penalty);
  if (item.top_p == 0) line.fail("top_p", "0 leaves no token; give more than 0");
  if (item.repetition_penalty == 0) line.fail("repetition_penalty", "0 divides by zero; 1 is none");
}

}  // namespace

Item default_item(const Job& job, const SamplingDefaults& defaults) {
  const Job::Sampling& given = job.sampling;
  Item item;
  if (defaults.makes == Makes::text) {
    item.system_prompt = given.system_prompt.value_or("");
    item.max_new_tokens = given.max_new_tokens;
    item.temperature = given.temperature.value_or(defaults.temperature);
    item.top_k = given.top_k.value_or(defaults.top_k);
    item.top_p = given.top_p.value_or(defaults.top_p);
    item.repetition_penalty = given.repetition_penalty.value_or(defaults.repetition_penalty);
    return item;
  }
  item.width = given.width;
  item.height = given.height;
  item.negative_prompt = given.negative_prompt;
  item.steps = given.steps.value_or(defaults.steps);
  item.guidance = given.guidance.value_or(defaults.guidance);
  item.cfg_truncation = given.cfg_truncation;
  item.cfg_normalization = given.cfg_normalization;
  item.shift = given.shift.value_or(defaults.shift);
  item.sampler = given.sampler.value_or(defaults.samplers.front());
  item.system_prompt = given.system_prompt.value_or(defaults.system_prompt.value_or(""));
  return item;
}

std::vector<std::string_view> value_keys(const SamplingDefaults& defaults) {
  std::vector<std::string_view> keys{"prompt"};
  const auto& own = defaults.makes == Makes::text ? kTextKeys : kPictureKeys;
  keys.insert(keys.end(), own.begin(), own.end());
  if (defaults.system_prompt) keys.emplace_back("system_prompt");
  return keys;
}

void read_values(const JsonObject& line, const SamplingDefaults& defaults, Item& item) {
  const bool text = defaults.makes == Makes::text;
  for (const std::string_view key : text ? kPictureKeys : kTextKeys) {
    if (line.value().contains(key)) {
      line.fail(std::string(key),
                text ? "only models that make pictures have it" : "only models that write text have it");
    }
  }
  text ? read_text_values(line, item) : read_picture_values(line, defaults, item);
}

std::string wrong_size(int pixels, const SamplingDefaults& defaults) {
  const int multiple = defaults.size_multiple, below = pixels / multiple * multiple;
  const std::string nearest = below == 0 ? "" : std::to_string(below) + " or ";
  return std::to_string(pixels) + " is not a multiple of " + std::to_string(multiple) +
         ", as this model needs; nearest: " + nearest + std::to_string(below + multiple);
}

}  // namespace trireme
