#pragma once
// Prompts given as nested objects, rendered to the tags that NewBie-image knows:
//
//   {"character_1": {"n": "miku", "appearance": ["blue hair", "twintails"]}, "general_tags": {"count": 1}}
//   <character_1><n>miku</n><appearance>blue hair,
//   twintails</appearance></character_1><general_tags><count>1</count>...
//
// Keys become tags, in the order written. Texts stand as they are, nothing is escaped: the encoders see raw text. A
// list of texts is joined by ", ", a list of objects repeats its tag. Rank 0 and the launcher.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/yaml_reader.h"

namespace trireme {

/// `value`: an object. Throws Error(bad_data) "place: key.key: fact" for keys that can't be tags, null, and lists that
/// mix texts and objects.
std::string render_prompt(const nlohmann::ordered_json& value, const std::string& place);

/// `value`: what parse_json made of `line`, which forgets the order of keys. Its `prompt` and `negative_prompt`, where
/// they are objects, become text.
void render_prompts(std::string_view line, nlohmann::json& value, const std::string& place);

/// A .yaml file of prompts is a list of maps with the keys of a .jsonl line.
struct YamlPrompt {
  std::size_t line = 0;
  std::string json;  // the same as a .jsonl line
};
/// Everything is text but true, false and numbers right under an entry, and of these not id, prompt, negative_prompt
/// and system_prompt. Throws Error(bad_data) with the place.
std::vector<YamlPrompt> read_yaml_prompts(std::string_view text, const std::string& source);

}  // namespace trireme
