#include "common/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::array<std::string_view, 29> kCategories{"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me",
                                                       "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi",
                                                       "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs"};

/// Copies a pattern construct by construct.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& place) : in_(pattern), place_(place) {}

  std::string translate() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape();
      } else if (c == '[') {
        character_class();
      } else if (c == '(') {
        group();
      } else if (c == '{') {
        interval();
      } else if (c == '?' || c == '*' || c == '+') {
        if (out_.empty() || (at_ > 0 && in_[at_ - 1] == '}' && closes_interval_)) refuse("quantifier");
        take(1);
      } else if (c == '^' || c == '$' || c == '.') {
        refuse("'" + std::string(1, c) + "'");
      } else {
        take(1);
      }
      if (c != '{') closes_interval_ = false;
    }
    return out_;
  }

 private:
  bool starts(std::string_view text) const { return in_.substr(at_, text.size()) == text; }
  void take(std::size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }
  void replace(std::size_t count, std::string_view text) {
    out_ += text;
    at_ += count;
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ExitCode::bad_data, place_ + ": " + what + " at byte " + std::to_string(at_) +
                                        " of the pattern is not supported: " + printable(in_, 200));
  }

  void escape() {
    const char c = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    if (c == 's') {
      // \s of PCRE2 matches U+180E as well.
      replace(2, "\\p{White_Space}");
    } else if (c == 'S') {
      replace(2, "\\P{White_Space}");
    } else if (c == 'r' || c == 'n' || c == 't' || std::ispunct(static_cast<unsigned char>(c))) {
      take(2);
    } else if (c == 'p' || c == 'P') {
      const std::size_t end = in_.find('}', at_);
      if (!in_.substr(at_ + 2).starts_with('{') || end == in_.npos) refuse("property");
      const std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
      if (std::find(kCategories.begin(), kCategories.end(), name) == kCategories.end()) refuse("property");
      take(end + 1 - at_);
    } else {
      refuse("escape");
    }
  }

  void character_class() {
    take(starts("[^") ? 2 : 1);
    if (starts("]")) refuse("']' as a member");
    while (!starts("]")) {
      if (at_ >= in_.size() || starts("[") || starts("&&")) refuse("character class");
      starts("\\") ? escape() : take(1);
    }
    take(1);
  }

  void group() {
    for (const std::string_view opening : {"(?:", "(?=", "(?!", "(?i:"}) {
      if (!starts(opening)) continue;
      if (opening == "(?i:") check_folding();
      return take(opening.size());
    }
    if (starts("(?") || starts("(*")) refuse("group");
    take(1);
  }

  /// Without regard to case Oniguruma lets one character stand for two: "ss" matches U+00DF.
  void check_folding() const {
    std::string rest(in_.substr(at_));
    std::transform(rest.begin(), rest.end(), rest.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const char* pair : {"ss", "st", "ff", "fi", "fl"}) {
      if (rest.find(pair) != rest.npos) refuse(std::string("'") + pair + "' without regard to case");
    }
    if (std::any_of(rest.begin(), rest.end(), [](unsigned char c) { return c >= 0x80; })) {
      refuse("a character beyond ASCII without regard to case");
    }
  }

  void interval() {
    std::size_t end = at_ + 1;
    int commas = 0;
    while (end < in_.size() && (std::isdigit(static_cast<unsigned char>(in_[end])) || in_[end] == ',')) {
      commas += in_[end++] == ',';
    }
    if (out_.empty() || end == in_.size() || in_[end] != '}' || commas > 1 || end == at_ + 1 || in_[at_ + 1] == ',') {
      refuse("'{'");
    }
    take(end + 1 - at_);
    closes_interval_ = true;
  }

  std::string_view in_;
  const std::string& place_;
  std::string out_;
  std::size_t at_ = 0;
  bool closes_interval_ = false;  // what follows an interval means something else in Oniguruma
};

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 200> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// One search at a time.
class Search {
 public:
  Search(const pcre2_code* code, std::string_view text)
      : code_(code), text_(text), data_(pcre2_match_data_create_from_pattern(code, nullptr)) {
    if (!data_) throw std::bad_alloc();
  }
  ~Search() { pcre2_match_data_free(data_); }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  bool find(std::size_t from, Regex::Match& match) {
    int found = attempt(from, PCRE2_NO_UTF_CHECK);
    // The compiled matcher has a small fixed stack, the other one takes memory as it needs.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = attempt(from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) throw ItemError("the text can't be cut into words: " + message_of(found));
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data_);
    match = {offsets[0], offsets[1]};
    return true;
  }

 private:
  int attempt(std::size_t from, std::uint32_t options) {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from, options, data_, nullptr);
  }

  const pcre2_code* code_;
  std::string_view text_;
  pcre2_match_data* data_;
};

}  // namespace

std::string pcre2_pattern(std::string_view oniguruma, const std::string& place) {
  return Translator(oniguruma, place).translate();
}

void Regex::Free::operator()(void* code) const { pcre2_code_free(static_cast<pcre2_code*>(code)); }

Regex::Regex(std::string_view pattern, const std::string& place) {
  const std::string text = pcre2_pattern(pattern, place);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP,
                                   &error, &offset, nullptr);
  if (code == nullptr) {
    throw Error(ExitCode::bad_data, place + ": pattern " + printable(text, 200) + " at byte " + std::to_string(offset) +
                                        ": " + message_of(error));
  }
  code_.reset(code);
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where it is not available the interpreter does the same, slower
}

std::vector<Regex::Match> Regex::find_all(std::string_view text) const {
  std::vector<Match> matches;
  Search search(static_cast<const pcre2_code*>(code_.get()), text);
  Match match{0, 0};
  for (std::size_t from = 0; from <= text.size() && search.find(from, match);) {
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      // An empty match right after the last one: look again one character further, as the reference does.
      if (from == text.size()) break;
      next_code_point(text, from);
      continue;
    }
    matches.push_back(match);
    from = match.end;
  }
  return matches;
}

}  // namespace trireme
