#pragma once
// SHA-256 (FIPS 180-4), incremental: hashes of result files, run ids and model fingerprints. Not for secrets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace trireme {

class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  /// 64 lower-case digits of everything so far; more may follow.
  std::string hex() const;

 private:
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};  // the first `length_ % 64` bytes wait for the rest of their block
  std::uint64_t length_ = 0;
};

std::string sha256_hex(std::string_view text);
/// Reads the file in pieces. Throws Error(input_missing or io_error) with path and cause.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace trireme
