#include "common/sha256.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/sha256_compress.h"

namespace trireme {

// The vectors of FIPS 180-4's example pages and NIST's SHAVS.
TEST(Sha256, MatchesTheNistVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i * 37);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    Sha256 in_pieces;
    for (std::size_t at = 0, step = 1; at < length; at += step, step = step * 3 % 71 + 1) {
      in_pieces.update(std::string_view(text).substr(at, std::min(step, length - at)));
    }
    ASSERT_EQ(in_pieces.hex(), sha256_hex(text.substr(0, length))) << length;
  }
}

TEST(Sha256, IsTheSameWithAndWithoutInstructionsForIt) {
  std::vector<std::byte> bytes(64 * 9 + 1);
  std::uint32_t random = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((random = random * 1664525 + 1013904223) >> 24);
  for (std::size_t blocks = 0; blocks <= 9; ++blocks) {
    for (std::size_t shift : {0u, 1u}) {  // of the address
      sha256::State plain{1, 2, 3, 4, 5, 6, 7, 0xffffffff}, fast = plain;
      sha256::compress_plainly(plain, bytes.data() + shift, blocks);
      sha256::fastest()(fast, bytes.data() + shift, blocks);
      EXPECT_EQ(plain, fast) << blocks;
    }
  }
}

TEST(Sha256, MayGoOnAfterHex) {
  Sha256 hash;
  hash.update("a");
  EXPECT_EQ(hash.hex(), sha256_hex("a"));
  hash.update("bc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "sha256_test.bin";
  const std::string bytes((3 << 20) + 17, 'x');
  write_file(file, bytes);
  EXPECT_EQ(sha256_of_file(file), sha256_hex(bytes));
  std::filesystem::remove(file);
  EXPECT_THROW(sha256_of_file(file), Error);
}

}  // namespace trireme
