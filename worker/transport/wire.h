#pragma once
// Bytes of messages and headers: little-endian, lengths before contents. The reader trusts nothing: whatever does not
// fit is an Error(internal) that says what was read and where.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <variant>

#include "common/errors.h"
#include "worker/transport/transport.h"

namespace trireme::wire {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are");

class Writer {
 public:
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void number(Number value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
  }
  void text(const std::string& value) {
    number<std::uint64_t>(value.size());
    const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
    bytes_.insert(bytes_.end(), bytes, bytes + value.size());
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class Reader {
 public:
  /// `what` names the bytes in errors: "unit", "GRANT".
  Reader(std::span<const std::byte> bytes, std::string what) : bytes_(bytes), what_(std::move(what)) {}

  template <class Number>
  requires std::is_arithmetic_v<Number> Number number() {
    Number value;
    std::memcpy(&value, need(sizeof value), sizeof value);
    return value;
  }
  std::string text() {
    const auto length = number<std::uint64_t>();
    return {reinterpret_cast<const char*>(need(length)), length};
  }
  /// The count of a list whose entries take at least `smallest` bytes each, so that no nonsense is ever reserved.
  std::size_t count(std::size_t smallest) {
    const auto entries = number<std::uint64_t>();
    if (entries > (bytes_.size() - at_) / smallest) fail("a list of " + std::to_string(entries) + " entries");
    return entries;
  }
  void end() const {
    if (at_ != bytes_.size()) fail("nothing more, yet " + std::to_string(bytes_.size() - at_) + " bytes follow");
  }
  [[noreturn]] void fail(const std::string& found) const {
    throw Error(ExitCode::internal, what_ + ": byte " + std::to_string(at_) + " of " + std::to_string(bytes_.size()) +
                                        ": expected " + found);
  }

 private:
  const std::byte* need(std::uint64_t bytes) {
    if (bytes > bytes_.size() - at_) fail(std::to_string(bytes) + " bytes");
    const std::byte* found = bytes_.data() + at_;
    at_ += bytes;
    return found;
  }

  std::span<const std::byte> bytes_;
  std::string what_;
  std::size_t at_ = 0;
};

/// The alternative number `kind` of a variant and nothing behind it; its bytes are read by `read(in, alternative)`.
template <class Variant, std::size_t kIndex = 0, class Read>
Variant read_alternative(std::size_t kind, Reader& in, const Read& read) {
  if constexpr (kIndex < std::variant_size_v<Variant>) {
    if (kind != kIndex) return read_alternative<Variant, kIndex + 1>(kind, in, read);
    std::variant_alternative_t<kIndex, Variant> message{};
    read(in, message);
    in.end();
    return message;
  } else {
    in.fail("a kind of message, found " + std::to_string(kind));
  }
}

}  // namespace trireme::wire
