#include "common/sha256.h"

#include <algorithm>
#include <vector>

#include "common/files.h"
#include "common/sha256_compress.h"

namespace trireme {

void Sha256::update(std::span<const std::byte> bytes) {
  static const sha256::Compress compress = sha256::fastest();
  const std::size_t held = length_ % 64;
  length_ += bytes.size();
  if (held > 0) {
    const std::size_t taken = std::min(64 - held, bytes.size());
    std::copy_n(bytes.begin(), taken, block_.begin() + static_cast<std::ptrdiff_t>(held));
    if (held + taken < 64) return;
    compress(state_, block_.data(), 1);
    bytes = bytes.subspan(taken);
  }
  compress(state_, bytes.data(), bytes.size() / 64);
  bytes = bytes.last(bytes.size() % 64);
  std::copy(bytes.begin(), bytes.end(), block_.begin());
}

std::string Sha256::hex() const {
  Sha256 rest = *this;
  std::array<std::byte, 72> padding{std::byte{0x80}};  // 0x80, zeros up to 8 bytes before a block's end, the bit count
  const std::size_t zeros_end = (length_ % 64 < 56 ? 56 : 120) - length_ % 64;
  for (int i = 0; i < 8; ++i) padding[zeros_end + i] = std::byte(length_ * 8 >> (56 - 8 * i));
  rest.update(std::span(padding).first(zeros_end + 8));

  constexpr char kHex[] = "0123456789abcdef";
  std::string digits;
  for (const std::uint32_t word : rest.state_) {
    for (int shift = 28; shift >= 0; shift -= 4) digits += kHex[word >> shift & 15];
  }
  return digits;
}

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  const Descriptor in = open_for_reading(file);
  std::vector<std::byte> piece(1 << 20);
  Sha256 hash;
  while (const std::size_t count = read_some(in, piece, file)) hash.update(std::span(piece).first(count));
  return hash.hex();
}

}  // namespace trireme
