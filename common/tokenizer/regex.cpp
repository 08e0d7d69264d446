#include "common/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <new>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

// Unicode's White_Space. \s of PCRE2 matches U+180E as well.
constexpr std::string_view kBlanks =
    R"(\t-\r\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
// Letters and numbers of Unicode 15 and 16, which Oniguruma knows and PCRE2 10.42 does not.
#define R(first, last) "\\x{" first "}-\\x{" last "}"
constexpr std::string_view kNewLetters = R("1c89", "1c8a") R("a7cb", "a7cd") R("a7da", "a7dc") R("105c0", "105f3")
    R("10d4a", "10d65") R("10d6f", "10d85") R("10ec2", "10ec4") R("1123f", "11240") R("11380", "11389")
        R("1138b", "1138b") R("1138e", "1138e") R("11390", "113b5") R("113b7", "113b7") R("113d1", "113d1")
            R("113d3", "113d3") R("11bc0", "11be0") R("11f02", "11f02") R("11f04", "11f10") R("11f12", "11f33")
                R("1342f", "1342f") R("13441", "13446") R("13460", "143fa") R("16100", "1611d") R("16d40", "16d6c")
                    R("18cff", "18cff") R("1b132", "1b132") R("1b155", "1b155") R("1df25", "1df2a") R("1e030", "1e06d")
                        R("1e4d0", "1e4eb") R("1e5d0", "1e5ed") R("1e5f0", "1e5f0") R("2b739", "2b739")
                            R("2ebf0", "2ee5d") R("31350", "323af");
constexpr std::string_view kNewNumbers =
    R("10d40", "10d49") R("116d0", "116e3") R("11bf0", "11bf9") R("11f50", "11f59") R("16130", "16139")
        R("16d70", "16d79") R("1ccf0", "1ccf9") R("1d2c0", "1d2d3") R("1e4f0", "1e4f9") R("1e5f1", "1e5fa");
#undef R

/// Copies a pattern construct by construct.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& place) : in_(pattern), place_(place) {}

  std::string translate() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape(false);
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

  void escape(bool in_class) {
    const char c = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    const bool negated = c == 'S' || c == 'P';
    if (negated && in_class) refuse("negated escape inside a character class");
    if (c == 's' || c == 'S') {
      replace(2, in_class ? std::string(kBlanks) : (negated ? "[^" : "[") + std::string(kBlanks) + "]");
    } else if (c == 'r' || c == 'n' || c == 't' || std::ispunct(static_cast<unsigned char>(c))) {
      take(2);
    } else if (c == 'p' || c == 'P') {
      const std::string_view name = in_.substr(at_ + 2, 3);
      if (name != "{L}" && name != "{N}") refuse("property");
      const std::string members = "\\p" + std::string(name) + std::string(name == "{L}" ? kNewLetters : kNewNumbers);
      replace(5, in_class ? members : (negated ? "[^" : "[") + members + "]");
    } else {
      refuse("escape");
    }
  }

  void character_class() {
    take(starts("[^") ? 2 : 1);
    if (starts("]")) refuse("']' as a member");
    while (!starts("]")) {
      if (at_ >= in_.size() || starts("[") || starts("&&")) refuse("character class");
      starts("\\") ? escape(true) : take(1);
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

template <auto free>
struct FreeWith {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};

/// One search at a time.
class Search {
 public:
  Search(const pcre2_code* code, std::string_view text)
      : code_(code),
        text_(text),
        data_(pcre2_match_data_create_from_pattern(code, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (!data_ || !context_) throw std::bad_alloc();
    // Some steps a character: enough for a text of blanks, an end for a pattern that is quadratic on some text.
    const std::size_t steps = 1'000'000 + 64 * text.size();
    pcre2_set_match_limit(context_.get(), static_cast<std::uint32_t>(std::min<std::size_t>(steps, UINT32_MAX)));
  }
  bool find(std::size_t from, Regex::Match& match) {
    int found = attempt(from, PCRE2_NO_UTF_CHECK);
    // The compiled matcher has a small fixed stack, the other one takes memory as it needs.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = attempt(from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) throw ItemError("the text can't be cut into words: " + message_of(found));
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data_.get());
    match = {offsets[0], offsets[1]};
    return true;
  }

 private:
  int attempt(std::size_t from, std::uint32_t options) {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from, options, data_.get(),
                       context_.get());
  }

  const pcre2_code* code_;
  std::string_view text_;
  std::unique_ptr<pcre2_match_data, FreeWith<pcre2_match_data_free>> data_;
  std::unique_ptr<pcre2_match_context, FreeWith<pcre2_match_context_free>> context_;
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
