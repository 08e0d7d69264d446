#include "worker/weights/model_files.h"

#include "common/errors.h"

namespace trireme {

const TensorEntry* ModelPart::find(const std::string& name) const {
  for (const TensorEntry& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

const ModelPart& ModelFiles::part(const std::string& name) const {
  const auto found = parts.find(name);
  if (found == parts.end()) {
    throw ConfigError(folder.string() + ": no " + name + " in this checkpoint", ExitCode::input_missing);
  }
  return found->second;
}

}  // namespace trireme
