#pragma once
// Every model family, by name: the one place to add one.

#include <memory>

#include "common/job.h"
#include "worker/models/model.h"
#include "worker/weights/loader.h"
#include "worker/weights/model_files.h"

namespace trireme {

struct ModelSettings {
  const Job& job;
  at::Device device;
  at::ScalarType dtype;
  Stage stage = {};
};

/// Builds the family's modules and registers what they want in `wanted`; the model is ready once those are loaded.
std::unique_ptr<Model> make_model(const std::string& family, const ModelSettings& settings, const ModelFiles& files,
                                  PartParameters& wanted);

}  // namespace trireme
