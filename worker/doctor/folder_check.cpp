#include "worker/doctor/folder_check.h"

#include <unistd.h>

#include "common/errors.h"
#include "common/files.h"
#include "common/lock_file.h"

namespace trireme::doctor {
namespace {

namespace fs = std::filesystem;

fs::path name_in(const fs::path& folder, int rank, const char* what) {
  return folder / (".doctor-" + std::to_string(rank) + "-" + std::to_string(getpid()) + "-" + what);
}

}  // namespace

std::string check_writing(const fs::path& folder, int rank) {
  const fs::path file = name_in(folder, rank, "file"), renamed = name_in(folder, rank, "renamed");
  std::error_code ignored;
  try {
    create_folder(folder);
    { const LockFile lock(name_in(folder, rank, "lock")); }
    write_file(file, "written by the doctor\n");
    fs::rename(file, renamed);
    if (read_file(renamed, 100) != "written by the doctor\n") throw Error(ExitCode::io_error, "reads back otherwise");
    fs::remove(renamed);
  } catch (const std::exception& e) {
    fs::remove(file, ignored);
    fs::remove(renamed, ignored);
    return e.what();
  }
  return "";
}

std::string check_sharing(const fs::path& folder, Transport& transport) {
  std::string token;
  std::error_code ignored;
  if (transport.rank() == 0) {
    token = name_in(folder, 0, "shared").filename().string();
    try {
      write_file(folder / token, token);
    } catch (const std::exception&) {
      token.clear();  // told by check_writing
    }
  }
  token = std::string(as_text(transport.broadcast(to_bytes(token), 0)));
  std::string trouble;
  if (!token.empty()) {
    try {
      read_file(folder / token, 1000);
    } catch (const std::exception&) {
      trouble = folder.string() + " is not the folder that rank 0 writes to";
    }
  }
  transport.barrier();
  if (transport.rank() == 0 && !token.empty()) fs::remove(folder / token, ignored);
  return trouble;
}

}  // namespace trireme::doctor
