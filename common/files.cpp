#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/errors.h"

namespace trireme {
namespace {

bool no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }
bool disk_trouble(int error) { return no_room(error) || error == EIO || error == ESTALE; }

[[noreturn]] void fail_to_write(const char* verb, const std::filesystem::path& file, int error) {
  const char* remedy = no_room(error) ? "; free some space and run the same command again"
                                      : "; check the file system and run the same command again";
  throw Error(ExitCode::io_error,
              std::string("can't ") + verb + " " + file.string() + ": " + errno_text(error) + remedy);
}

[[noreturn]] void fail_to_create(const std::filesystem::path& file, int error) {
  if (disk_trouble(error)) fail_to_write("create", file, error);
  throw Error(ExitCode::cannot_create, "can't create " + file.string() + ": " + errno_text(error) +
                                           "; check the folder's permissions or choose another output.directory");
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}
int Descriptor::release() { return std::exchange(fd_, -1); }

Descriptor open_for_reading(const std::filesystem::path& file) {
  // A named pipe that nobody writes to is empty, not waited for; reading from a pipe that has a writer waits as usual.
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto fail = [&](const std::string& what, bool trouble) {
    throw Error(trouble ? ExitCode::io_error : ExitCode::input_missing, "can't read " + file.string() + ": " + what);
  };
  if (descriptor.get() < 0) fail(errno_text(errno) + "; check the path and its permissions", disk_trouble(errno));
  struct stat facts {};
  ::fstat(descriptor.get(), &facts);
  if (S_ISDIR(facts.st_mode)) fail("a folder; name a file in it", false);
  ::fcntl(descriptor.get(), F_SETFL, 0);
  return descriptor;
}

std::size_t read_some(const Descriptor& from, std::span<std::byte> into, const std::filesystem::path& file) {
  for (;;) {
    const ssize_t count = ::read(from.get(), into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) {
      throw Error(ExitCode::io_error,
                  "can't read " + file.string() + ": " + errno_text(errno) + "; check the file system");
    }
  }
}

void write_all(const Descriptor& to, std::string_view bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(to.get(), bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      fail_to_write("write", file, errno);
    }
  }
}

void sync(const Descriptor& descriptor, const std::filesystem::path& file) {
  if (::fsync(descriptor.get()) != 0) fail_to_write("sync", file, errno);
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) fail_to_write("open", folder, errno);
  // Some network file systems can't sync a folder and say EINVAL: there the rename itself is durable.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) fail_to_write("sync", folder, errno);
}

std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  const Descriptor descriptor = open_for_reading(file);
  struct stat facts {};
  ::fstat(descriptor.get(), &facts);
  std::string text;
  if (S_ISREG(facts.st_mode))
    text.reserve(std::min<std::uint64_t>(static_cast<std::uint64_t>(facts.st_size), max_bytes));
  std::string piece(1 << 16, '\0');
  while (const std::size_t count = read_some(descriptor, std::as_writable_bytes(std::span(piece)), file)) {
    if (text.size() + count > max_bytes) {
      throw Error(ExitCode::bad_data, file.string() + " is larger than the " + std::to_string(max_bytes) +
                                          " bytes allowed here; is it the right file?");
    }
    text.append(piece, 0, count);
  }
  return text;
}

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)) {
  temporary_ = folder_of(file_) / ("." + file_.filename().string() + "." + std::to_string(::getpid()) + ".tmp");
  descriptor_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (descriptor_.get() < 0) fail_to_create(file_, errno);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  append(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::commit(Durability durability) {
  if (durability == Durability::synced) sync(descriptor_, file_);
  // NFS and quotas report a full disk no later than here.
  if (::close(descriptor_.release()) != 0) fail_to_write("write", file_, errno);
  if (::rename(temporary_.c_str(), file_.c_str()) != 0) fail_to_create(file_, errno);
  temporary_.clear();
  if (durability == Durability::synced) sync_folder(folder_of(file_));
}

void write_file(const std::filesystem::path& file, std::string_view bytes, Durability durability) {
  AtomicFile out(file);
  out.append(bytes);
  out.commit(durability);
}

bool is_temporary_name(std::string_view name) { return name.starts_with('.') && name.ends_with(".tmp"); }

void create_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_to_create(folder, error.value());
  if (!std::filesystem::is_directory(folder, error)) fail_to_create(folder, ENOTDIR);
}

std::uint64_t free_bytes(const std::filesystem::path& folder) {
  struct statvfs facts {};
  if (::statvfs(folder.c_str(), &facts) != 0) fail_to_create(folder, errno);
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

void fill_standard_streams() {
  // open takes the lowest free number, so all below it are taken once it gives a higher one.
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

std::string errno_text(int error) {
  std::string text = std::generic_category().message(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace trireme
