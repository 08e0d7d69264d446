#include "common/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <random>

#include "common/errors.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using ::testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

const std::string kHeader =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[6,22]},)"
    R"("a.weight":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},)"
    R"("none":{"dtype":"I64","shape":[4,0],"data_offsets":[22,22]},)"
    R"("s":{"dtype":"F8_E4M3","shape":[],"data_offsets":[22,23]}}   )";
constexpr std::size_t kDataBytes = 23;

std::string data() {
  std::string bytes;
  for (std::size_t i = 0; i < kDataBytes; ++i) bytes += static_cast<char>(i);
  return bytes;
}

SafetensorsHeader parse(const std::string& header, std::uint64_t data_bytes) {
  return parse_safetensors_header(header, 8 + header.size() + data_bytes, "file");
}

std::string error_of(const std::string& header, std::uint64_t data_bytes) {
  try {
    parse(header, data_bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
    return error.what();
  }
  return "accepted";
}

/// One tensor "t" and the given text for its parts.
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

ExitCode code_of(const std::filesystem::path& file) {
  try {
    SafetensorsFile opened(file);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::ok;
}

TEST(Safetensors, ListsTensorsInTheOrderOfTheirOffsets) {
  const TemporaryFolder folder;
  const SafetensorsFile file(folder.write("x.safetensors", file_of(kHeader, data())));
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "a.weight");
  EXPECT_EQ(file.tensors()[1].name, "b");
  EXPECT_EQ(file.tensors()[2].name, "none");
  EXPECT_EQ(file.tensors()[3].name, "s");
  EXPECT_EQ(file.tensors()[1].shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(file.tensors()[1].offset, 8 + kHeader.size() + 6);
  EXPECT_EQ(file.tensors()[1].bytes, 16u);
  EXPECT_TRUE(file.tensors()[3].shape.empty());
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.header_text(), kHeader);
  EXPECT_EQ(file.bytes(), 8 + kHeader.size() + kDataBytes);
}

TEST(Safetensors, ReadsTheBytesOfATensorAlsoAfterAMove) {
  const TemporaryFolder folder;
  SafetensorsFile first(folder.write("x.safetensors", file_of(kHeader, data())));
  const SafetensorsFile file(std::move(first));
  const TensorInfo* found = file.find("a.weight");
  ASSERT_NE(found, nullptr);
  std::array<std::byte, 6> bytes{};
  file.read(found->offset, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(std::to_integer<std::size_t>(bytes[i]), i);
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(Safetensors, AFileCutShortWhileOpenIsAnErrorNotASignal) {
  const TemporaryFolder folder;
  const auto path = folder.write("x.safetensors", file_of(kHeader, data()));
  const SafetensorsFile file(path);
  std::filesystem::resize_file(path, file.bytes() - 1);
  std::array<std::byte, 1> last{};
  try {
    file.read(file.find("s")->offset, last);
    FAIL() << "read beyond the end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::io_error);
    EXPECT_THAT(error.what(), HasSubstr("cut short"));
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = file_of(kHeader, data());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(code_of(folder.write("x.safetensors", whole.substr(0, size))), ExitCode::bad_data) << size << " bytes";
  }
  EXPECT_EQ(code_of(folder.write("x.safetensors", whole)), ExitCode::ok);
  EXPECT_EQ(code_of(folder.write("x.safetensors", whole + "!")), ExitCode::bad_data);
}

TEST(Safetensors, WhatCanNotBeOpenedIsMissingInput) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of(folder.path() / "absent.safetensors"), ExitCode::input_missing);
  EXPECT_EQ(code_of(folder.path()), ExitCode::input_missing);
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(code_of(folder.path() / "pipe"), ExitCode::input_missing);
}

TEST(Safetensors, HeaderLengthsAreCheckedBeforeMemoryIsTaken) {
  const TemporaryFolder folder;
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100'000'001},
                                     std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string bytes = file_of(kHeader, data());
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i) & 0xff);
    EXPECT_EQ(code_of(folder.write("x.safetensors", bytes)), ExitCode::bad_data) << length;
  }
}

TEST(Safetensors, AnEmptyHeaderIsAFileWithoutTensors) { EXPECT_TRUE(parse("{}", 0).tensors.empty()); }

// Defects that other C++ readers had.
TEST(Safetensors, AShapeThatWrapsToZeroIsRefused) {
  EXPECT_THAT(error_of(tensor(R"("F32")", "[4294967296,4294967296]", "[0,0]"), 0), HasSubstr("overflows"));
  EXPECT_THAT(error_of(tensor(R"("F32")", "[4611686018427387904]", "[0,0]"), 0), HasSubstr("overflows"));
}
TEST(Safetensors, AZeroDimensionDoesNotHideAnOverflow) {
  EXPECT_THAT(error_of(tensor(R"("U8")", "[4294967296,4294967296,0]", "[0,0]"), 0), HasSubstr("overflows"));
  EXPECT_THAT(error_of(tensor(R"("U8")", "[0,4294967296,4294967296]", "[0,0]"), 0), HasSubstr("overflows"));
  EXPECT_THAT(error_of(tensor(R"("U8")", "[0,18446744073709551615]", "[0,0]"), 0), HasSubstr("overflows"));
}
TEST(Safetensors, AnEmptyTensorIsCheckedLikeAnyOther) {
  EXPECT_THAT(error_of(tensor(R"("U8")", "[0]", "[0,4]"), 4), HasSubstr("hold 4 bytes"));
  EXPECT_THAT(error_of(tensor(R"("U8")", "[0]", "[9,9]"), 4), HasSubstr("beyond"));
}
TEST(Safetensors, OffsetsAndShapeMustAgree) {
  EXPECT_THAT(error_of(tensor(R"("F32")", "[2,2]", "[0,12]"), 12), HasSubstr("needs 16"));
  EXPECT_THAT(error_of(tensor(R"("F32")", "[2,2]", "[0,20]"), 20), HasSubstr("needs 16"));
}
TEST(Safetensors, OffsetsStayInsideTheFile) {
  EXPECT_THAT(error_of(tensor(R"("U8")", "[4]", "[0,4]"), 3), HasSubstr("beyond"));
  EXPECT_THAT(error_of(tensor(R"("U8")", "[4]", "[4,0]"), 4), HasSubstr("backwards"));
  EXPECT_THAT(error_of(tensor(R"("U8")", "[4]", "[18446744073709551612,18446744073709551615]"), 4),
              HasSubstr("beyond"));
}

TEST(Safetensors, HolesAndOverlapsAreRefused) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(parse(two("[2,4]", "[0,2]"), 4).tensors[0].name, "b");
  EXPECT_THAT(error_of(two("[0,2]", "[1,3]"), 4), HasSubstr("tensor 'b': overlaps"));
  EXPECT_THAT(error_of(two("[0,2]", "[0,2]"), 2), HasSubstr("overlaps"));
  EXPECT_THAT(error_of(two("[0,2]", "[3,5]"), 5), HasSubstr("tensor 'b': leaves a hole"));
  EXPECT_THAT(error_of(two("[1,3]", "[3,5]"), 5), HasSubstr("tensor 'a': leaves a hole"));
  EXPECT_THAT(error_of(two("[0,2]", "[2,4]"), 5), HasSubstr("unexplained"));
}

TEST(Safetensors, NumbersAreNonNegativeIntegersOnly) {
  for (const char* shape : {"[-1]", "[-0]", "[4.0]", "[4e0]", R"(["4"])", "[null]", "[true]", "[[4]]", "[{}]", "4",
                            "null", "[18446744073709551616]", "[1,1,1,1,1,1,1,1,4]"}) {
    EXPECT_NE(error_of(tensor(R"("U8")", shape, "[0,4]"), 4), "accepted") << shape;
  }
  for (const char* offsets : {"[0]", "[]", "[0,4,4]", "[0,4.0]", "[-0,4]", "{}", R"("0,4")", "[0,[4]]"}) {
    EXPECT_NE(error_of(tensor(R"("U8")", "[4]", offsets), 4), "accepted") << offsets;
  }
  EXPECT_EQ(error_of(tensor(R"("U8")", "[1,1,1,1,1,1,1,4]", "[0,4]"), 4), "accepted");
}

TEST(Safetensors, UnknownDtypesAreNamed) {
  for (const char* dtype : {"F31", "f32", "", "F4", "FLOAT", "F32 "}) {
    EXPECT_THAT(error_of(tensor('"' + std::string(dtype) + '"', "[1]", "[0,1]"), 1),
                HasSubstr("tensor 't': unknown dtype '" + std::string(dtype) + "'"));
  }
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "I16", "U16", "F16", "BF16", "I32", "U32", "F32",
                            "I64", "U64", "F64"}) {
    const std::string bytes = std::to_string(dtype_bytes(dtype));
    EXPECT_EQ(error_of(tensor('"' + std::string(dtype) + '"', "[1]", "[0," + bytes + "]"), std::stoull(bytes)),
              "accepted");
  }
}

TEST(Safetensors, DuplicateKeysAreRefusedAtEveryLevel) {
  const std::string t = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(error_of(R"({"t":)" + t + R"(,"t":)" + t + "}", 0), HasSubstr("'t' appears twice"));
  EXPECT_THAT(error_of(R"({"t":)" + t + R"(,"\u0074":)" + t + "}", 0), HasSubstr("'t' appears twice"));
  EXPECT_THAT(error_of(R"({"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0), HasSubstr("twice"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0), HasSubstr("twice"));
  EXPECT_THAT(error_of(R"({"__metadata__":{},"__metadata__":{}})", 0), HasSubstr("twice"));
}

TEST(Safetensors, OnlyTheFormatsOwnGrammarIsAccepted) {
  const std::string t = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  for (const std::string& header : {std::string("[]"),
                                    std::string("{"),
                                    std::string(R"({"t":1})"),
                                    std::string(R"({"t":[]})"),
                                    std::string(R"({"t":{}})"),
                                    std::string(R"({"t":{"dtype":"U8","shape":[0]}})"),
                                    std::string(R"({"__metadata__":{"a":1}})"),
                                    std::string(R"({"__metadata__":{"a":{}}})"),
                                    std::string(R"({"__metadata__":"a"})"),
                                    "{\"t\":" + t + ",}",
                                    "{\"t\":" + t + "} x",
                                    " {\"t\":" + t + "}",
                                    "\xef\xbb\xbf{\"t\":" + t + "}",
                                    "{\"t\xff\":" + t + "}",
                                    "{\"t\\ud800\":" + t + "}",
                                    "{\"t\":" + t + "}" + std::string(1, '\0') + "x",
                                    "{\"t\":" + t + "}// x",
                                    std::string(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}})"),
                                    std::string(50'000, '['),
                                    "{\"" + std::string(5000, 'n') + "\":" + t + "}"}) {
    EXPECT_NE(error_of(header, 0), "accepted") << header.substr(0, 100);
  }
  EXPECT_EQ(error_of("{\"t\":" + t + "}   \n", 0), "accepted");
}

TEST(Safetensors, NamesInErrorsCanNotDisturbATerminal) {
  EXPECT_EQ(error_of("{\"\\u001b[2J\":{\"dtype\":\"X\",\"shape\":[],\"data_offsets\":[0,0]}}", 0).find('\x1b'),
            std::string::npos);
}

/// What a reader may rely on, whatever the bytes were.
void expect_sound(const SafetensorsHeader& header, std::uint64_t begin, std::uint64_t file_bytes) {
  std::uint64_t at = begin;
  for (const TensorInfo& tensor : header.tensors) {
    ASSERT_EQ(tensor.offset, at);
    std::uint64_t bytes = dtype_bytes(tensor.dtype);
    ASSERT_GT(bytes, 0u);
    for (const std::int64_t size : tensor.shape) {
      ASSERT_GE(size, 0);
      bytes *= static_cast<std::uint64_t>(size);
    }
    ASSERT_EQ(tensor.bytes, bytes);
    at += bytes;
  }
  ASSERT_EQ(at, file_bytes);
}

TEST(Safetensors, DamagedHeadersAreRefusedOrSound) {
  std::mt19937 random(1);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::vector<std::string> pieces{"0",          "-1",
                                        "4294967296", "18446744073709551615",
                                        "1e3",        "\"",
                                        "{",          "}",
                                        "[",          "]",
                                        ",",          ":",
                                        "null",       "\\u0000",
                                        "\xff",       "\"t\":",
                                        "[0,0]",      "\"shape\":[0]",
                                        "F64",        "b",
                                        " "};
  int accepted = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string header = kHeader;
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(header.size());
      switch (below(5)) {
        case 0: header[at] = static_cast<char>(below(256)); break;
        case 1: header[at] ^= static_cast<char>(1u << below(8)); break;
        case 2: header.erase(at, 1 + below(12)); break;
        case 3: header.insert(at, pieces[below(pieces.size())]); break;
        case 4: header.replace(at, 1 + below(3), pieces[below(pieces.size())]); break;
      }
      if (header.empty()) header = "{";
    }
    const std::uint64_t file_bytes = 8 + header.size() + kDataBytes;
    try {
      expect_sound(parse_safetensors_header(header, file_bytes, "file"), 8 + header.size(), file_bytes);
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::bad_data) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);  // renamed tensors, other metadata
  EXPECT_GT(refused, 10'000);
}

TEST(Safetensors, AHeaderWithAnInvertedByteIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = file_of(kHeader, data());
  for (std::size_t at = 0; at < whole.size() - kDataBytes; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    EXPECT_EQ(code_of(folder.write("x.safetensors", damaged)), ExitCode::bad_data) << "byte " << at;
  }
}

}  // namespace
}  // namespace trireme
