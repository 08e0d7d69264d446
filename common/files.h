#pragma once
// Files as the project reads and writes them: whole or not at all. Every message names path, cause and remedy.
// Throws Error: input_missing (nothing to read there), cannot_create (no such folder, no permission), io_error (the
// disk is full or broken), bad_data (larger than allowed). Any thread.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace trireme {

/// Owns a file descriptor; -1 = none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

Descriptor open_for_reading(const std::filesystem::path& file);
/// The next bytes, 0 at the end. `file` is for the message.
std::size_t read_some(const Descriptor& from, std::span<std::byte> into, const std::filesystem::path& file);
/// All bytes, or an io_error that names `file`.
void write_all(const Descriptor& to, std::string_view bytes, const std::filesystem::path& file);
/// Waits until the bytes are on the disk.
void sync(const Descriptor& descriptor, const std::filesystem::path& file);
void sync_folder(const std::filesystem::path& folder);

/// The whole file; larger than `max_bytes` is bad_data, which also guards against a device or a log given by mistake.
std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes);

enum class Durability {
  synced,   // survives a power cut: file and folder are synced
  renamed,  // readers see the old or the new file, never half of one; a power cut may lose it
};

/// A file that appears under its name only when it is complete. Until `commit` it is `.NAME.PID.tmp` beside it; without
/// a commit it is removed.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);
  AtomicFile(const AtomicFile&) = delete;
  ~AtomicFile();
  void append(std::string_view bytes) { write_all(descriptor_, bytes, file_); }
  void append(std::span<const std::byte> bytes);
  void commit(Durability durability);

 private:
  std::filesystem::path file_, temporary_;
  Descriptor descriptor_;
};

void write_file(const std::filesystem::path& file, std::string_view bytes, Durability durability = Durability::synced);

/// True for names that AtomicFile uses before its commit: left over from a crash when found.
bool is_temporary_name(std::string_view name);

/// With all parents. Fine when it exists.
void create_folder(const std::filesystem::path& folder);
/// Bytes that this user may still write to the file system of `folder`.
std::uint64_t free_bytes(const std::filesystem::path& folder);

/// Gives a process that was started without stdin, stdout or stderr /dev/null there: the next file it opens would get
/// that number, and messages would be written into it. First thing in main().
void fill_standard_streams();

/// "no space left on device" and the like.
std::string errno_text(int error);

}  // namespace trireme
