#include "common/image_files.h"

#include <algorithm>
#include <system_error>

#include "common/errors.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return folded;
}

std::string too_large(std::uint64_t bytes, std::uint64_t limit) {
  return std::to_string(bytes) + " bytes, at most " + std::to_string(limit) + " are taken";
}

/// Why this is no file to read, or "". A pipe or a device would hang the job.
std::string why_unreadable(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) return error ? errno_text(error.value()) : "no such file";
  if (!fs::is_regular_file(status)) return "not a file";
  const std::uint64_t bytes = fs::file_size(file, error);
  if (error) return errno_text(error.value());
  return bytes > kMaxImageBytes ? too_large(bytes, kMaxImageBytes) : "";
}

void set_error(Item& item, const std::string& name, const std::string& fact) {
  if (item.error.empty()) item.error = "picture " + printable(name, 300) + ": " + fact;
}

}  // namespace

ImageRoot::ImageRoot(const fs::path& folder) {
  std::error_code error;
  root_ = fs::weakly_canonical(folder.empty() ? "." : folder, error);
  if (error) throw Error(ExitCode::input_missing, folder.string() + ": " + errno_text(error.value()));
}

fs::path ImageRoot::resolved(const std::string& name) const {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(root_ / name, error);  // an absolute name replaces the root
  return error ? (root_ / name).lexically_normal() : path;
}

std::optional<std::string> ImageRoot::why_refused(const std::string& name) const {
  const std::string shown = "'" + printable(name, 300) + "' ";
  if (name.empty()) return "an empty path";
  if (name.find('\0') != std::string::npos) return shown + "holds NUL";
  const std::string folded = lower(name);
  if (folded.starts_with("data:") || folded.starts_with("file:") || folded.find("://") != std::string::npos) {
    return shown + "is a URL; nothing is fetched, give a file inside input.image_root";
  }
  const fs::path inside = resolved(name).lexically_relative(root_);
  if (inside.empty() || *inside.begin() == "..") {
    return shown + "leads out of " + root_.string() + "; set input.image_root to a folder that holds all pictures";
  }
  return std::nullopt;
}

const ImageRoot::Found& ImageRoot::look_at(const fs::path& file) {
  const auto [place, is_new] = seen_.try_emplace(file);
  Found& found = place->second;
  if (!is_new) return found;
  found.error = why_unreadable(file);
  if (!found.error.empty()) return found;
  try {
    found.bytes = fs::file_size(file);
    found.sha256 = sha256_of_file(file);
    found.size = picture_size(file).value_or(PixelSize{});
  } catch (const std::exception& e) {
    found.error = e.what();
  }
  return found;
}

std::uint32_t ImageRoot::add(const std::string& name, Item& item) {
  const fs::path file = resolved(name);
  const Found& found = look_at(file);
  item.images.push_back(
      {name, file.string(), found.sha256, found.bytes, /*data=*/"", found.size.width, found.size.height});
  if (!found.error.empty()) set_error(item, name, found.error);
  std::uint64_t bytes = 0;
  for (const ImageFile& image : item.images) bytes += image.bytes;
  if (bytes > kMaxItemImageBytes) set_error(item, name, "with those before it " + too_large(bytes, kMaxItemImageBytes));
  return static_cast<std::uint32_t>(item.images.size() - 1);
}

void read_pictures(Item& item) {
  for (ImageFile& image : item.images) {
    if (!item.error.empty()) return;
    if (const std::string why = why_unreadable(image.path); !why.empty()) {
      set_error(item, image.name, why);
      continue;
    }
    try {
      image.data = read_file(image.path, kMaxImageBytes);
    } catch (const Error& e) {
      set_error(item, image.name, e.what());
      continue;
    }
    if (sha256_hex(image.data) != image.sha256) {
      set_error(item, image.name, "the file has changed since the job began; start over with --fresh");
    }
  }
}

}  // namespace trireme
