#include "worker/models/load.h"

#include <algorithm>

#include "common/host.h"
#include "common/steady_clock.h"
#include "worker/models/room.h"
#include "worker/weights/arrange.h"
#include "worker/weights/node_cache.h"

namespace trireme {
namespace {

constexpr int kMostReaders = 8;  // threads of a host

}  // namespace

LoadedModel load_model(const ModelSource& source, const ModelSettings& settings, Transport& transport,
                       const std::function<void()>& on_progress) {
  const double start = steady_seconds();
  LoadedModel loaded;
  const bool dummy = settings.job.model.weights == "dummy";
  const Job::Model& model = settings.job.model;
  const std::string& family = source.family;
  LoadSettings load;
  load.everyone_reads = model.read == "per_node";
  load.threads = std::clamp(std::min(usable_cpus(), kMostReaders) / (load.everyone_reads ? source.local_size : 1), 1,
                            kMostReaders);
  double cache_seconds = 0;
  ModelFiles files;
  if (!family.starts_with("fake")) {
    if (transport.rank() == 0) files = read_model_files(model.path, !dummy, family);
    files = share_model_files(std::move(files), transport);
    if (!dummy && !model.cache.empty()) {
      const bool copies_here = load.everyone_reads ? source.local_rank == 0 : transport.rank() == 0;
      const double begin = steady_seconds();
      files = use_node_cache(std::move(files), {model.cache, source.fingerprint, copies_here}, transport, on_progress);
      cache_seconds = steady_seconds() - begin;
    }
  }
  const double build = steady_seconds();
  PartParameters wanted;
  loaded.model = make_model(family, settings, files, wanted);
  const double built = steady_seconds();
  require_room(wanted, settings, loaded.model->own_layers(), transport);
  if (dummy) {
    loaded.report = make_dummy_weights(wanted, settings.dtype, settings.device);
  } else if (!family.starts_with("fake")) {
    loaded.report = load_weights(files, wanted, settings.dtype, settings.device, transport, on_progress, load);
  }
  loaded.report.bytes_kept += arrange_weights(wanted, {settings.device, settings.dtype, model.dtype == "fp8"});
  loaded.report.cache_seconds = cache_seconds;
  loaded.report.files_seconds = build - start - cache_seconds;
  loaded.report.build_seconds = built - build;
  loaded.report.seconds = steady_seconds() - start;
  return loaded;
}

}  // namespace trireme
