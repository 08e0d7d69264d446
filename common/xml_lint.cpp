#include "common/xml_lint.h"

#include <algorithm>
#include <utility>

#include "common/utf8.h"

namespace trireme {
namespace {

struct Tag {
  std::string name;
  std::size_t offset = 0;
  bool closes = false, stands_alone = false;
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// `inside`: what stands between < and >. False when it is no tag.
bool read_tag(std::string_view inside, Tag& tag) {
  if (inside.starts_with('/')) {
    tag.closes = true;
    inside.remove_prefix(1);
  } else if (inside.ends_with('/')) {
    tag.stands_alone = true;
    inside.remove_suffix(1);
  }
  if (inside.empty() || !is_letter(inside[0])) return false;
  const auto end = std::find_if_not(inside.begin(), inside.end(), is_name);
  tag.name.assign(inside.begin(), end);
  const bool bare = std::all_of(end, inside.end(), is_blank);
  const bool attributes = !tag.closes && is_blank(end == inside.end() ? 'x' : *end) &&
                          std::find(end, inside.end(), '=') != inside.end();  // "<Prompt Start>" is none
  return bare || attributes;
}

std::vector<Tag> find_tags(std::string_view text) {
  constexpr std::string_view kComment = "<!--", kCommentEnd = "-->";
  std::vector<Tag> tags;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    if (text.substr(at).starts_with(kComment)) {
      const std::size_t end = text.find(kCommentEnd, at + kComment.size());
      if (end == std::string_view::npos) break;
      at = end;
      continue;
    }
    const std::size_t end = text.find_first_of("<>", at + 1);
    if (end == std::string_view::npos) break;
    Tag tag;
    tag.offset = at;
    if (text[end] == '>' && read_tag(text.substr(at + 1, end - at - 1), tag)) tags.push_back(std::move(tag));
  }
  return tags;
}

class Complaints {
 public:
  explicit Complaints(std::string_view text) : text_(text) {}

  void add(const Tag& tag, const std::string& fact) {
    const TextPosition place = position_of(text_, tag.offset);
    facts_.emplace_back(tag.offset, "<" + std::string(tag.closes ? "/" : "") + printable(tag.name, 60) + "> " + fact +
                                        ", " + std::to_string(place.line) + ":" + std::to_string(place.column));
  }
  std::vector<std::string> in_order() {
    std::stable_sort(facts_.begin(), facts_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> facts;
    for (auto& [offset, fact] : facts_) facts.push_back(std::move(fact));
    return facts;
  }

 private:
  std::string_view text_;
  std::vector<std::pair<std::size_t, std::string>> facts_;
};

}  // namespace

std::vector<std::string> lint_tags(std::string_view prompt) {
  Complaints complaints(prompt);
  std::vector<Tag> open;
  for (const Tag& tag : find_tags(prompt)) {
    if (tag.stands_alone) continue;
    if (!tag.closes) {
      open.push_back(tag);
      continue;
    }
    const auto opened =
        std::find_if(open.rbegin(), open.rend(), [&](const Tag& other) { return other.name == tag.name; });
    if (opened == open.rend()) {
      complaints.add(tag, "closes nothing");
      continue;
    }
    for (auto inner = open.rbegin(); inner != opened; ++inner) {
      complaints.add(*inner, "is not closed before </" + printable(tag.name, 60) + ">");
    }
    open.erase(std::prev(opened.base()), open.end());
  }
  for (const Tag& tag : open) complaints.add(tag, "is not closed");
  return complaints.in_order();
}

std::vector<TagWarning> lint_items(std::span<const Item> items) {
  std::vector<TagWarning> warnings;
  const Item* before = nullptr;
  for (const Item& item : items) {
    const auto look = [&](const char* key, std::string Item::*text) {
      if (before != nullptr && before->*text == item.*text) return;
      for (std::string& fact : lint_tags(item.*text)) warnings.push_back({item.id, key, std::move(fact)});
    };
    look("prompt", &Item::prompt);
    look("negative_prompt", &Item::negative_prompt);
    before = &item;
  }
  return warnings;
}

}  // namespace trireme
