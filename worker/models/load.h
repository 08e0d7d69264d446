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

/// Which model this is, as rank 0 found out, and where this rank sits on its host (model.read, model.cache).
struct ModelSource {
  std::string family, fingerprint;
  int local_rank = 0, local_size = 1;
};

/// Rank 0 alone touches the checkpoint, or every rank does its shards (model.read: per_node); errors in it are thrown
/// there. `on_progress`: the watchdog's counter.
LoadedModel load_model(const ModelSource& source, const ModelSettings& settings, Transport& transport,
                       const std::function<void()>& on_progress);

}  // namespace trireme
