#include "worker/weights/read_ahead.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "common/errors.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/weights/checkpoint_writer.h"

namespace trireme {
namespace {

constexpr std::size_t kBytes = 4096;

/// Two files of one tensor each whose bytes are known, in ranges of `kBytes`.
class TwoFiles : public testing::Test {
 protected:
  TwoFiles() {
    for (int file = 0; file < 2; ++file) {
      const at::Tensor values = at::arange(50 * kBytes / 4, at::kFloat) + 1e6 * file;
      test::write_safetensors(path(file), {{"w", values}});
      const SafetensorsFile opened(path(file));
      for (std::uint64_t i = 0; i < 50; ++i) {
        ranges_.push_back({path(file), opened.tensors()[0].offset + i * kBytes, kBytes, nullptr});
        first_.push_back(static_cast<float>(1e6 * file) + static_cast<float>(i * kBytes / 4));
      }
    }
  }
  std::string path(int file) const { return (folder_.path() / (std::to_string(file) + ".safetensors")).string(); }

  std::vector<std::span<std::byte>> buffers(std::size_t count) {
    memory_.resize(count * kBytes);
    std::vector<std::span<std::byte>> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(std::span(memory_).subspan(i * kBytes, kBytes));
    return result;
  }

  const TemporaryFolder folder_;
  std::vector<FileRange> ranges_;
  std::vector<float> first_;  // element of each range
  std::vector<std::byte> memory_;
};

float first_of(std::span<const std::byte> bytes) { return *reinterpret_cast<const float*>(bytes.data()); }

TEST_F(TwoFiles, ComeInOrderWhateverThreadsAndBuffers) {
  for (const int threads : {1, 3, 8}) {
    for (const std::size_t count : {1u, 2u, 5u, 200u}) {
      ReadAhead reader(ranges_, buffers(count), threads);
      for (std::size_t i = 0; i < ranges_.size(); ++i) {
        ASSERT_EQ(first_of(reader.next()), first_[i]) << threads << " threads, " << count << " buffers, range " << i;
        reader.release();
      }
    }
  }
}

TEST_F(TwoFiles, ABufferStaysAsItIsUntilItsRelease) {
  constexpr std::size_t kHeld = 4;
  ReadAhead reader(ranges_, buffers(kHeld), 3);
  std::vector<std::span<const std::byte>> held;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    if (held.size() == kHeld) {
      ASSERT_EQ(first_of(held.front()), first_[i - kHeld]);
      held.erase(held.begin());
      reader.release();
    }
    held.push_back(reader.next());
  }
}

TEST_F(TwoFiles, ARangeWithAPlaceOfItsOwnNeedsNoBuffer) {
  std::vector<std::byte> place(ranges_.size() * kBytes);
  for (std::size_t i = 0; i < ranges_.size(); i += 2) ranges_[i].into = place.data() + i * kBytes;
  ReadAhead reader(ranges_, buffers(2), 3);
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const auto bytes = reader.next();
    EXPECT_EQ(bytes.data() == place.data() + i * kBytes, i % 2 == 0);
    ASSERT_EQ(first_of(bytes), first_[i]);
    if (i % 2 == 1) reader.release();
  }
}

/// What taking all ranges ends with.
std::string failure(ReadAhead& reader, std::size_t ranges, ExitCode code) {
  try {
    for (std::size_t i = 0; i < ranges; ++i) {
      reader.next();
      reader.release();
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "no error";
}

TEST_F(TwoFiles, AFileCutShortEndsAllReaders) {
  std::filesystem::resize_file(path(1), 30 * kBytes);
  for (const int threads : {1, 3, 8}) {
    // Opening sees it: the header promises more than there is.
    ReadAhead reader(ranges_, buffers(3), threads);
    EXPECT_NE(failure(reader, ranges_.size(), ExitCode::bad_data).find(path(1)), std::string::npos);
  }
}

TEST_F(TwoFiles, AFileCutShortWhileItIsReadEndsAllReaders) {
  for (const int threads : {1, 3, 8}) {
    ranges_.back().offset += 1;  // as if the last byte had gone after the file was opened
    ReadAhead reader(ranges_, buffers(3), threads);
    const std::string message = failure(reader, ranges_.size(), ExitCode::io_error);
    EXPECT_NE(message.find(path(1) + ": ends at byte"), std::string::npos) << message;
  }
}

TEST_F(TwoFiles, AFileThatIsGoneEndsAllReaders) {
  std::filesystem::remove(path(1));
  for (const int threads : {1, 3, 8}) {
    ReadAhead reader(ranges_, buffers(3), threads);
    EXPECT_NE(failure(reader, ranges_.size(), ExitCode::input_missing).find(path(1)), std::string::npos);
  }
}

TEST_F(TwoFiles, MayBeLeftWhileAllThreadsWaitForBuffers) {
  for (int again = 0; again < 20; ++again) {
    ReadAhead reader(ranges_, buffers(2), 8);
    reader.next();
  }
}

}  // namespace
}  // namespace trireme
