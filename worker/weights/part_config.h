#pragma once
// Sizes of one part of a checkpoint: what its config.json says, else what the shapes of its tensors say, else a default
// that shapes can't tell. Throws Error(bad_data) with file and key. With dummy weights there are no shapes.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"
#include "worker/weights/model_files.h"

namespace trireme {

class PartConfig {
 public:
  /// Borrows `files`.
  PartConfig(const ModelFiles& files, const std::string& part);

  /// The same part, sizes read from the object under `key`, where newer files nest them; without it all as before.
  PartConfig section(const std::string& key) const;

  const ModelPart& part() const { return part_; }
  const std::string& place() const { return place_; }  // "FOLDER/transformer/config.json"
  JsonObject json() const { return JsonObject(json_, place_); }

  bool has_tensors() const { return !part_.tensors.empty(); }
  bool has_tensor(const std::string& name) const { return part_.find(name) != nullptr; }
  /// Size of a dimension of the first of `names` that is there; an empty tensor tells nothing.
  std::optional<std::int64_t> dimension(std::initializer_list<std::string> names, std::size_t index) const;
  /// 1 + the largest n of tensors named `prefix`n.…; nothing when there is none.
  std::optional<std::int64_t> count(std::string_view prefix) const;

  /// The key as a number of layers, `least` to 10 000; missing: `counted`, else the error that names the key.
  std::int64_t layers(const std::string& key, std::optional<std::int64_t> counted, std::int64_t least = 1) const;
  /// The key as a size of at least 1; missing: what shapes said, else `fallback`, else the error that names the key.
  std::int64_t size(const std::string& key, std::optional<std::int64_t> from_shapes,
                    std::optional<std::int64_t> fallback = {}) const;

 private:
  const ModelPart& part_;
  std::string place_;
  nlohmann::json json_;
};

}  // namespace trireme
