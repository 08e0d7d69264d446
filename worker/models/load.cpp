#include "worker/models/load.h"

#include "common/steady_clock.h"

namespace trireme {

LoadedModel load_model(const std::string& family, const ModelSettings& settings, Transport& transport,
                       const std::function<void()>& on_progress) {
  const double start = steady_seconds();
  LoadedModel loaded;
  const bool dummy = settings.job.model.weights == "dummy";
  ModelFiles files;
  if (!family.starts_with("fake")) {
    if (transport.rank() == 0) files = read_model_files(settings.job.model.path, !dummy, family);
    files = share_model_files(std::move(files), transport);
  }
  PartParameters wanted;
  loaded.model = make_model(family, settings, files, wanted);
  if (dummy) {
    loaded.report = make_dummy_weights(wanted, settings.dtype, settings.device);
  } else if (!family.starts_with("fake")) {
    loaded.report = load_weights(files, wanted, settings.dtype, settings.device, transport, on_progress);
  }
  loaded.report.seconds = steady_seconds() - start;
  return loaded;
}

}  // namespace trireme
