// The JSON part of a safetensors file. Its grammar is small, so it is read event by event: no tree is built, a second
// key of the same name can't hide the first, and numbers are only what the format allows.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_set>

#include "common/errors.h"
#include "common/safetensors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::size_t kMaxTensors = 1'000'000;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxNameBytes = 4096;

struct Dtype {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array kDtypes{
    Dtype{"BOOL", 1}, Dtype{"U8", 1},  Dtype{"I8", 1},  Dtype{"F8_E4M3", 1}, Dtype{"F8_E5M2", 1}, Dtype{"F8_E8M0", 1},
    Dtype{"I16", 2},  Dtype{"U16", 2}, Dtype{"F16", 2}, Dtype{"BF16", 2},    Dtype{"I32", 4},     Dtype{"U32", 4},
    Dtype{"F32", 4},  Dtype{"I64", 8}, Dtype{"U64", 8}, Dtype{"F64", 8},     Dtype{"C64", 8},
};

/// What the header says of one tensor; offsets count from the end of the header.
struct Entry {
  TensorInfo tensor;
  std::vector<std::uint64_t> shape, offsets;
};

class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& source) : source_(source) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("a boolean"); }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a number that is no 64-bit integer"); }
  bool binary(binary_t&) override { refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    switch (state_) {
      case State::shape: entries.back().shape.push_back(value); break;
      case State::offsets: entries.back().offsets.push_back(value); break;
      default: refuse("a number");
    }
    if (entries.back().shape.size() > kMaxRank) fail("more than " + std::to_string(kMaxRank) + " dimensions");
    if (entries.back().offsets.size() > 2) fail("data_offsets with more than two numbers");
    return true;
  }

  bool string(string_t& value) override {
    if (state_ == State::metadata) {
      metadata[name_] = std::move(value);
    } else if (state_ == State::tensor && field_ == "dtype") {
      entries.back().tensor.dtype = std::move(value);
    } else {
      refuse("a string");
    }
    return true;
  }

  bool key(string_t& value) override {
    if (state_ == State::top) {
      if (value.size() > kMaxNameBytes) fail("a name of " + std::to_string(value.size()) + " bytes");
      if (!names_.insert(value).second) fail("the name '" + printable(value) + "' appears twice");
      name_ = std::move(value);
    } else if (state_ == State::metadata) {
      if (metadata.count(value) != 0) fail("__metadata__ has the key '" + printable(value) + "' twice");
      name_ = std::move(value);
    } else {
      field_ = std::move(value);
      const std::size_t known = std::find(kFields.begin(), kFields.end(), field_) - kFields.begin();
      if (known == kFields.size()) fail("unknown key '" + printable(field_) + "'");
      if (seen_[known]) fail("the key '" + field_ + "' appears twice");
      seen_[known] = true;
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (state_ == State::begin) {
      state_ = State::top;
    } else if (state_ == State::top && name_ == "__metadata__") {
      state_ = State::metadata;
    } else if (state_ == State::top) {
      if (entries.size() == kMaxTensors) fail("more than " + std::to_string(kMaxTensors) + " tensors");
      entries.emplace_back().tensor.name = name_;
      seen_.fill(false);
      state_ = State::tensor;
    } else {
      refuse("an object");
    }
    return true;
  }

  bool end_object() override {
    if (state_ == State::tensor) {
      for (std::size_t i = 0; i < kFields.size(); ++i) {
        if (!seen_[i]) fail("no " + std::string(kFields[i]));
      }
      if (entries.back().offsets.size() != 2) fail("data_offsets without two numbers");
    }
    state_ = state_ == State::top ? State::end : State::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ != State::tensor || field_ == "dtype") refuse("a list");
    state_ = field_ == "shape" ? State::shape : State::offsets;
    return true;
  }

  bool end_array() override {
    state_ = State::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(ExitCode::bad_data, source_ + ": header is not valid JSON at its byte " + std::to_string(position));
  }

 private:
  enum class State { begin, top, metadata, tensor, shape, offsets, end };
  static constexpr std::array<std::string_view, 3> kFields{"dtype", "shape", "data_offsets"};

  [[noreturn]] void fail(const std::string& fact) const {
    const bool inside = state_ == State::tensor || state_ == State::shape || state_ == State::offsets;
    const std::string place = inside ? "tensor '" + printable(entries.back().tensor.name) + "': " : "header: ";
    throw Error(ExitCode::bad_data, source_ + ": " + place + fact);
  }
  [[noreturn]] void refuse(const std::string& what) const {
    switch (state_) {
      case State::begin: fail("the header is no object");
      case State::metadata: fail(what + " in __metadata__, which holds strings only");
      case State::tensor: fail(what + " as " + field_);
      case State::shape: fail(what + " in shape");
      case State::offsets: fail(what + " in data_offsets");
      default: fail(what + " as '" + printable(name_) + "', expected an object");
    }
  }

  const std::string& source_;
  State state_ = State::begin;
  std::unordered_set<std::string> names_;
  std::string name_, field_;
  std::array<bool, 3> seen_{};
};

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// Shape and offsets against each other and the file. Dimensions of zero do not excuse the others from overflowing.
void place_tensor(Entry& entry, std::uint64_t data_begin, std::uint64_t file_bytes, const std::string& source) {
  TensorInfo& tensor = entry.tensor;
  const auto fail = [&](const std::string& fact) {
    throw Error(ExitCode::bad_data, source + ": tensor '" + printable(tensor.name) + "': " + fact);
  };
  const std::uint64_t element = dtype_bytes(tensor.dtype);
  if (element == 0) fail("unknown dtype '" + printable(tensor.dtype) + "'");

  std::uint64_t bytes = element;
  bool empty = false;
  for (const std::uint64_t size : entry.shape) {
    empty |= size == 0;
    if (size != 0 && __builtin_mul_overflow(bytes, size, &bytes))
      fail("shape " + shape_text(entry.shape) + " overflows");
    if (size > INT64_MAX) fail("shape " + shape_text(entry.shape) + " overflows");
    tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  if (empty) bytes = 0;

  const std::uint64_t begin = entry.offsets[0], end = entry.offsets[1], data_bytes = file_bytes - data_begin;
  if (begin > end) fail("data_offsets run backwards: " + shape_text(entry.offsets));
  if (end > data_bytes) {
    fail("data_offsets " + shape_text(entry.offsets) + " reach beyond the file's " + std::to_string(data_bytes) +
         " bytes of data; is the file complete?");
  }
  if (end - begin != bytes) {
    fail("data_offsets hold " + std::to_string(end - begin) + " bytes, " + tensor.dtype + " " +
         shape_text(entry.shape) + " needs " + std::to_string(bytes));
  }
  tensor.offset = data_begin + begin;
  tensor.bytes = bytes;
}

}  // namespace

std::uint64_t dtype_bytes(std::string_view dtype) {
  const auto* found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.name == dtype; });
  return found == kDtypes.end() ? 0 : found->bytes;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_bytes, const std::string& source) {
  const auto fail = [&](const std::string& fact) -> void { throw Error(ExitCode::bad_data, source + ": " + fact); };
  if (json.empty() || json.front() != '{') fail("header does not start with '{'");
  // The JSON library takes a NUL byte for the end of the text.
  if (json.find('\0') != json.npos) fail("header holds a NUL byte");
  if (file_bytes < 8 + json.size()) fail("header is longer than the file");

  HeaderReader reader(source);
  nlohmann::json::sax_parse(json, &reader);

  const std::uint64_t data_begin = 8 + json.size();
  SafetensorsHeader header{{}, std::move(reader.metadata)};
  header.tensors.reserve(reader.entries.size());
  for (Entry& entry : reader.entries) {
    place_tensor(entry, data_begin, file_bytes, source);
    header.tensors.push_back(std::move(entry.tensor));
  }
  std::sort(header.tensors.begin(), header.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  std::uint64_t end = data_begin;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.offset != end) {
      fail("tensor '" + printable(tensor.name) + "': " + (tensor.offset < end ? "overlaps the one" : "leaves a hole") +
           " before it: starts at " + std::to_string(tensor.offset - data_begin) + ", expected " +
           std::to_string(end - data_begin));
    }
    end = tensor.offset + tensor.bytes;
  }
  if (end != file_bytes) {
    fail("tensors end at byte " + std::to_string(end) + " of " + std::to_string(file_bytes) +
         "; the rest is unexplained");
  }
  return header;
}

}  // namespace trireme
