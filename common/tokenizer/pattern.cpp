#include "common/tokenizer/pattern.h"

namespace trireme {

Pattern::Pattern(const JsonObject& json) {
  json.refuse_unknown({"String", "Regex"});
  if (json.has("String") == json.has("Regex")) json.fail("String", "wanted either this or Regex");
  if (json.has("Regex")) {
    regex_ = std::make_unique<Regex>(json.get_string("Regex"), json.place());
    return;
  }
  literal_ = json.get_string("String");
  if (literal_.empty()) json.fail("String", "empty");
}

std::vector<Regex::Match> Pattern::find_all(std::string_view text) const {
  if (regex_) return regex_->find_all(text);
  std::vector<Regex::Match> matches;
  for (std::size_t at = text.find(literal_); at != text.npos; at = text.find(literal_, matches.back().end)) {
    matches.push_back({at, at + literal_.size()});
  }
  return matches;
}

std::string Pattern::replace_all(std::string_view text, std::string_view content) const {
  std::string result;
  std::size_t done = 0;
  for (const Regex::Match& match : find_all(text)) {
    result += text.substr(done, match.begin - done);
    result += content;
    done = match.end;
  }
  result += text.substr(done);
  return result;
}

}  // namespace trireme
