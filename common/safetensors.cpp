#include "common/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLargestRead = std::size_t{1} << 30;  // one pread moves at most 2 GiB on Linux

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  // Looked at before opening: opening a pipe would wait for its writer.
  const auto type = std::filesystem::status(path, error).type();
  if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::not_found && !error) {
    throw Error(ExitCode::input_missing, path.string() + ": not a regular file");
  }
  descriptor_ = open_for_reading(path);
  bytes_ = std::filesystem::file_size(path, error);
  if (error) throw Error(ExitCode::io_error, path.string() + ": " + error.message());
  read_header();
}

void SafetensorsFile::read_header() {
  const auto fail = [&](const std::string& fact) { throw Error(ExitCode::bad_data, path_.string() + ": " + fact); };
  if (bytes_ < 10) fail("only " + std::to_string(bytes_) + " bytes, too short for a safetensors file");
  std::array<std::byte, 8> prefix;
  read(0, prefix);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < prefix.size(); ++i) length |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  if (length < 2 || length > kMaxHeaderBytes) {
    fail("a header of " + std::to_string(length) + " bytes; not a safetensors file, or damaged");
  }
  if (length > bytes_ - 8) {
    fail("a header of " + std::to_string(length) + " bytes in a file of " + std::to_string(bytes_) +
         "; is the file complete?");
  }
  header_text_.resize(length);
  read(8, std::as_writable_bytes(std::span(header_text_)));
  header_ = parse_safetensors_header(header_text_, bytes_, path_.string());
  for (const TensorInfo& tensor : header_.tensors) by_name_.emplace(tensor.name, &tensor);
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void SafetensorsFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > INT64_MAX || into.size() > INT64_MAX - offset) {
    throw Error(ExitCode::internal,
                path_.string() + ": read of " + std::to_string(into.size()) + " bytes at " + std::to_string(offset));
  }
  while (!into.empty()) {
    const ssize_t got =
        ::pread(descriptor_.get(), into.data(), std::min(into.size(), kLargestRead), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(ExitCode::io_error,
                  path_.string() + ": reading at byte " + std::to_string(offset) + ": " + errno_text(errno));
    }
    if (got == 0) {
      throw Error(ExitCode::io_error, path_.string() + ": ends at byte " + std::to_string(offset) + " with " +
                                          std::to_string(into.size()) + " more expected; was it cut short meanwhile?");
    }
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

void SafetensorsFile::prefetch(std::uint64_t offset, std::uint64_t bytes) const {
  ::posix_fadvise(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

}  // namespace trireme
