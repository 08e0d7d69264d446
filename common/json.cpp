#include "common/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "common/did_you_mean.h"
#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 100;

/// Walks the text and tells how far the parser has read: its SAX events carry no position.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** furthest;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *furthest = ++at;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
};

/// Builds the value and stops at the first thing that plain nlohmann::json::parse would let through.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, const char* const& furthest) : text_(text), furthest_(furthest) {}

  json root;
  std::string fact;        // why parsing stopped
  std::size_t offset = 0;  // and where

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    const auto [place, is_new] = open_.back()->get_ref<json::object_t&>().emplace(value, nullptr);
    if (!is_new) {
      stop("duplicate key '" + printable(value) + "'");
      offset = start_of_key();
      return false;
    }
    slot_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    std::string message = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...; last read: '...'"
    if (const auto start = message.find(": "); start != std::string::npos) message.erase(0, start + 2);
    message.erase(std::min(message.find("; last read: "), message.size()));
    fact = printable(message, 200);
    offset = position == 0 ? 0 : position - 1;
    return false;
  }

 private:
  std::size_t consumed() const { return static_cast<std::size_t>(furthest_ - text_.data()); }

  bool stop(const std::string& why) {
    fact = why;
    offset = consumed() == 0 ? 0 : consumed() - 1;
    return false;
  }

  /// The parser has just read the closing quote.
  std::size_t start_of_key() const {
    for (std::size_t i = consumed() - 1; i-- > 0;) {
      if (text_[i] != '"') continue;
      std::size_t backslashes = 0;
      while (backslashes < i && text_[i - 1 - backslashes] == '\\') ++backslashes;
      if (backslashes % 2 == 0) return i;
    }
    return 0;
  }

  template <class Value>
  bool add(Value&& value) {
    place(json(std::forward<Value>(value)));
    return true;
  }

  json* place(json value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool open(json empty) {
    if (open_.size() == kMaxDepth) return stop("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    open_.push_back(place(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string_view text_;
  const char* const& furthest_;
  std::vector<json*> open_;  // an open container never moves: its siblings are added after it is closed
  json* slot_ = nullptr;
};

[[noreturn]] void fail_at(std::string_view text, std::size_t offset, const std::string& source, std::size_t first_line,
                          const std::string& fact) {
  const TextPosition position = position_of(text, offset);
  throw Error(ExitCode::bad_data, source + ":" + std::to_string(first_line + position.line - 1) + ":" +
                                      std::to_string(position.column) + ": " + fact);
}

std::string shown(const json& value) {
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace), 60);
}

std::string shown(double number) { return json(number).dump(); }

}  // namespace

json parse_json(std::string_view whole, const std::string& source, std::size_t first_line) {
  const std::string_view text = skip_bom(whole);
  // nlohmann's lexer takes NUL for the end of the input, which would hide what follows it.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    fail_at(text, nul, source, first_line, "NUL byte");
  }
  const char* furthest = text.data();
  Builder builder(text, furthest);
  const CountingIterator begin{text.data(), &furthest}, end{text.data() + text.size(), &furthest};
  if (!json::sax_parse(begin, end, &builder)) fail_at(text, builder.offset, source, first_line, builder.fact);
  return std::move(builder.root);
}

bool parse_uint64(std::string_view digits, std::uint64_t& number) {
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  return error == std::errc() && stop == end;
}

JsonObject::JsonObject(const json& value, std::string place) : value_(&value), place_(std::move(place)) {
  if (!value.is_object()) throw Error(ExitCode::bad_data, place_ + ": not a JSON object but " + shown(value));
}

void JsonObject::fail(const std::string& key, const std::string& fact) const {
  throw Error(ExitCode::bad_data, place_ + ": " + printable(key) + ": " + fact);
}

bool JsonObject::has(const std::string& key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const json& JsonObject::at(const std::string& key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) fail(key, "missing");
  return *found;
}

std::int64_t JsonObject::get_int(const std::string& key, std::int64_t min, std::int64_t max) const {
  const json& value = at(key);
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= INT64_MAX : value.is_number_integer();
  if (!value.is_number_integer()) fail(key, "not an integer but " + shown(value));
  if (!fits || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) {
    fail(key, shown(value) + " is outside " + std::to_string(min) + " to " + std::to_string(max));
  }
  return value.get<std::int64_t>();
}

std::int64_t JsonObject::get_int_or(const std::string& key, std::int64_t fallback, std::int64_t min,
                                    std::int64_t max) const {
  return has(key) ? get_int(key, min, max) : fallback;
}

std::uint64_t JsonObject::get_uint64(const std::string& key) const {
  const json& value = at(key);
  std::uint64_t number = 0;
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_string() && parse_uint64(value.get_ref<const std::string&>(), number)) return number;
  fail(key, "not an integer of 0 to 18446744073709551615 but " + shown(value));
}

double JsonObject::get_double(const std::string& key, double min, double max) const {
  const json& value = at(key);
  if (!value.is_number()) fail(key, "not a number but " + shown(value));
  const double number = value.get<double>();
  if (!std::isfinite(number) || number < min || number > max) {
    fail(key, shown(value) + " is outside " + shown(min) + " to " + shown(max));
  }
  return number + 0.0;  // -0 and 0 are one value
}

double JsonObject::get_double_or(const std::string& key, double fallback, double min, double max) const {
  return has(key) ? get_double(key, min, max) : fallback;
}

bool JsonObject::get_bool(const std::string& key) const {
  const json& value = at(key);
  if (!value.is_boolean()) fail(key, "not true or false but " + shown(value));
  return value.get<bool>();
}

bool JsonObject::get_bool_or(const std::string& key, bool fallback) const {
  return has(key) ? get_bool(key) : fallback;
}

std::string JsonObject::get_string(const std::string& key) const {
  const json& value = at(key);
  if (!value.is_string()) fail(key, "not a string but " + shown(value));
  return value.get<std::string>();
}

std::string JsonObject::get_string_or(const std::string& key, const std::string& fallback) const {
  return has(key) ? get_string(key) : fallback;
}

std::vector<std::int64_t> JsonObject::get_ints(const std::string& key, std::int64_t min, std::int64_t max,
                                               std::size_t max_count) const {
  const json& list = at(key);
  if (!list.is_array()) fail(key, "not a list but " + shown(list));
  if (list.size() > max_count) fail(key, std::to_string(list.size()) + " values, at most " + std::to_string(max_count));
  std::vector<std::int64_t> numbers;
  for (const json& value : list) {
    const json element = {{key, value}};
    numbers.push_back(JsonObject(element, place_).get_int(key, min, max));
  }
  return numbers;
}

JsonObject JsonObject::get_object(const std::string& key) const { return JsonObject(at(key), place_ + ": " + key); }

void JsonObject::refuse_unknown(const std::vector<std::string_view>& known) const {
  for (const auto& [key, value] : value_->items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail(key, "unknown key" + did_you_mean(key, known));
    }
  }
}

}  // namespace trireme
