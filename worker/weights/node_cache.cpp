#include "worker/weights/node_cache.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/checkpoint.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/log.h"
#include "common/run_directory.h"
#include "common/safetensors.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{8} << 20, kStep = std::size_t{256} << 20;

struct Shard {
  fs::path from, to;
  std::string fingerprint;
};

/// Whether `file` is a copy of the shard.
bool fits(const fs::path& file, const std::string& fingerprint) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  try {
    return shard_fingerprint(SafetensorsFile(file)) == fingerprint;
  } catch (const Error&) {
    return false;
  }
}

/// Copies shards in steps, so that all ranks can take part in waiting.
class Copier {
 public:
  explicit Copier(std::vector<Shard> shards) : shards_(std::move(shards)), buffer_(kPiece) {}

  /// True while there is more to copy.
  bool step() {
    std::size_t done = 0;
    while (done < kStep && next_ < shards_.size()) {
      const Shard& shard = shards_[next_];
      if (!out_) {
        create_folder(shard.to.parent_path());
        in_ = open_for_reading(shard.from);
        out_.emplace(shard.to);
      }
      const std::size_t count = read_some(in_, buffer_, shard.from);
      out_->append(std::span<const std::byte>(buffer_).first(count));
      done += count;
      if (count == 0) finish(shard);
    }
    return next_ < shards_.size();
  }

 private:
  void finish(const Shard& shard) {
    out_->commit(Durability::renamed);
    out_.reset();
    ++next_;
    if (!fits(shard.to, shard.fingerprint)) {
      throw Error(ExitCode::io_error, shard.to.string() + ": is not what was copied from " + shard.from.string() +
                                          "; look at that disk, or leave model.cache empty");
    }
  }

  const std::vector<Shard> shards_;
  std::size_t next_ = 0;
  Descriptor in_;
  std::optional<AtomicFile> out_;
  std::vector<std::byte> buffer_;
};

/// Of all shards in the order of the parts; rank 0's, on every rank.
std::vector<std::string> share_fingerprints(const ModelFiles& files, Transport& transport) {
  nlohmann::json list = nlohmann::json::array();
  if (transport.rank() == 0) {
    for (const auto& [name, part] : files.parts) {
      for (const std::string& shard : part.shards) list.push_back(shard_fingerprint(SafetensorsFile(shard)));
    }
  }
  return nlohmann::json::parse(as_text(transport.broadcast(to_bytes(list.dump()), 0)));
}

std::vector<Shard> missing(const std::vector<Shard>& shards) {
  std::vector<Shard> to_copy;
  for (const Shard& shard : shards) {
    if (!fits(shard.to, shard.fingerprint)) to_copy.push_back(shard);
  }
  return to_copy;
}

void require_space(const fs::path& folder, const std::vector<Shard>& shards) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const Shard& shard : shards) {
    bytes += fs::file_size(shard.from, error);
    if (error) {
      throw Error(ExitCode::input_missing, shard.from.string() + ": not to be seen from this host (" + error.message() +
                                               "); model.read: once needs it on the host of rank 0 only");
    }
  }
  create_folder(folder);
  require_free_space(folder, bytes);
  if (bytes > 0) log::info("copying the checkpoint to this host", {{"folder", folder.string()}, {"bytes", bytes}});
}

/// Collective.
bool on_any_rank(bool mine, Transport& transport) {
  bool any = false;
  for (const Bytes& theirs : transport.gather(to_bytes(mine ? "y" : ""), 0)) any = any || !theirs.empty();
  return !transport.broadcast(to_bytes(any ? "y" : ""), 0).empty();
}

}  // namespace

ModelFiles use_node_cache(ModelFiles files, const NodeCache& cache, Transport& transport,
                          const std::function<void()>& on_progress) {
  const fs::path folder = cache.folder / cache.fingerprint.substr(0, 16);
  const std::vector<std::string> fingerprints = share_fingerprints(files, transport);
  std::vector<Shard> shards;
  for (auto& [name, part] : files.parts) {
    for (std::string& shard : part.shards) {
      const fs::path from = shard;
      shard = (folder / from.lexically_relative(files.folder)).string();
      shards.push_back({from, shard, fingerprints.at(shards.size())});
    }
  }
  std::vector<Shard> to_copy;
  if (cache.copies_here) {
    to_copy = missing(shards);
    require_space(folder, to_copy);
  }
  Copier copier(std::move(to_copy));
  while (on_any_rank(copier.step(), transport)) on_progress();
  return files;
}

}  // namespace trireme
