#include "worker/weights/part_config.h"

#include <algorithm>
#include <charconv>

namespace trireme {
namespace {

constexpr std::int64_t kLargestSize = std::int64_t{1} << 31;
constexpr std::int64_t kMostLayers = 10'000;  // a damaged number must not become a list of that length

}  // namespace

PartConfig::PartConfig(const ModelFiles& files, const std::string& part)
    : part_(files.part(part)),
      place_((files.folder / part_.config_file).string()),
      json_(parse_json(part_.config, place_)) {}

PartConfig PartConfig::section(const std::string& key) const {
  PartConfig inner = *this;
  if (json().has(key)) {
    inner.json_ = json().get_object(key).value();
    inner.place_ += ": " + key;
  }
  return inner;
}

std::optional<std::int64_t> PartConfig::dimension(std::initializer_list<std::string> names, std::size_t index) const {
  for (const std::string& name : names) {
    const TensorEntry* tensor = part_.find(name);
    if (tensor != nullptr && index < tensor->shape.size() && tensor->shape[index] > 0) return tensor->shape[index];
  }
  return std::nullopt;
}

std::optional<std::int64_t> PartConfig::count(std::string_view prefix) const {
  std::optional<std::int64_t> result;
  for (const TensorEntry& tensor : part_.tensors) {
    if (!std::string_view(tensor.name).starts_with(prefix)) continue;
    std::int64_t index = 0;
    const char* end = tensor.name.data() + tensor.name.size();
    const auto [stop, error] = std::from_chars(tensor.name.data() + prefix.size(), end, index);
    if (error == std::errc() && stop != end && *stop == '.') result = std::max(result.value_or(0), index + 1);
  }
  return result;
}

std::int64_t PartConfig::layers(const std::string& key, std::optional<std::int64_t> counted, std::int64_t least) const {
  const JsonObject object = json();
  if (object.has(key)) return object.get_int(key, least, kMostLayers);
  if (!counted) object.fail(key, "missing, and no tensor tells it");
  if (*counted > kMostLayers) object.fail(key, "missing, and the tensors' names tell of " + std::to_string(*counted));
  return *counted;
}

std::int64_t PartConfig::size(const std::string& key, std::optional<std::int64_t> from_shapes,
                              std::optional<std::int64_t> fallback) const {
  const JsonObject object = json();
  if (object.has(key)) return object.get_int(key, 1, kLargestSize);
  if (from_shapes && *from_shapes < 1) object.fail(key, "missing, and the tensors' shapes make it less than 1");
  if (from_shapes) return *from_shapes;
  if (fallback) return *fallback;
  object.fail(key, "missing, and no tensor tells it");
}

}  // namespace trireme
