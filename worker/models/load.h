#pragma once
// From a checkpoint folder to a model that is ready, on every rank. Collective.

#include <functional>
#include <memory>
#include <string>

#include "worker/models/list.h"
#include "worker/models/model.h"
#include "worker/transport/transport.h"
#include "worker/weights/loader.h"

namespace trireme {

struct LoadedModel {
  std::unique_ptr<Model> model;
  LoadReport report;
};

/// Rank 0 alone touches the checkpoint; errors in it are thrown there. `on_progress`: the watchdog's counter.
LoadedModel load_model(const std::string& family, const ModelSettings& settings, Transport& transport,
                       const std::function<void()>& on_progress);

}  // namespace trireme
