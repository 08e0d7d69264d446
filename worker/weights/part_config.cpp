#include "worker/weights/part_config.h"

#include <algorithm>
#include <charconv>

namespace trireme {
namespace {

constexpr std::int64_t kLargestSize = std::int64_t{1} << 31;

}  // namespace

PartConfig::PartConfig(const ModelFiles& files, const std::string& part)
    : part_(files.part(part)), place_((files.folder / part / "config.json").string()) {
  if (part == "scheduler") place_ = (files.folder / part / "scheduler_config.json").string();
  json_ = parse_json(part_.config, place_);
}

std::optional<std::int64_t> PartConfig::dimension(std::initializer_list<std::string> names, std::size_t index) const {
  for (const std::string& name : names) {
    const TensorEntry* tensor = part_.find(name);
    if (tensor != nullptr && index < tensor->shape.size()) return tensor->shape[index];
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

std::int64_t PartConfig::size(const std::string& key, std::optional<std::int64_t> from_shapes,
                              std::optional<std::int64_t> fallback, std::int64_t min) const {
  const JsonObject object = json();
  if (object.has(key)) return object.get_int(key, min, kLargestSize);
  if (from_shapes) return *from_shapes;
  if (fallback) return *fallback;
  object.fail(key, "missing, and no tensor tells it");
}

}  // namespace trireme
