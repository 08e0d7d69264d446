#include "launcher/image_figures.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "common/median.h"
#include "common/summary.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = 1u << 30;

[[noreturn]] void too_few(const ImageRun& run) {
  throw Error(ExitCode::bad_data, run.folder.string() + ": no more units than those of the warm-up (" +
                                      std::to_string(run.warm_up) + " of each rank); ask for more images");
}

/// Of one unit on one rank, microseconds.
struct UnitSpans {
  double begin = 0;
  std::array<double, 3> seconds{};  // encode, denoise, decode
};

/// Of each rank, in the order in which its units began.
std::vector<std::vector<UnitSpans>> spans_of(const fs::path& trace) try {
  constexpr std::array<const char*, 3> kKinds{"encode", "denoise", "decode"};
  std::map<int, std::map<std::uint64_t, UnitSpans>> ranks;
  const nlohmann::json timeline = nlohmann::json::parse(read_file(trace, kMaxBytes));
  for (const auto& event : timeline.at("traceEvents")) {
    const auto kind = std::find(kKinds.begin(), kKinds.end(), event.value("cat", ""));
    if (kind == kKinds.end()) continue;
    const double begin = event.at("ts");
    auto& units = ranks[event.at("pid")];
    const auto [unit, fresh] = units.try_emplace(event.at("args").at("unit"), UnitSpans{begin, {}});
    unit->second.begin = std::min(unit->second.begin, begin);
    unit->second.seconds[static_cast<std::size_t>(kind - kKinds.begin())] += event.at("dur").get<double>();
  }
  std::vector<std::vector<UnitSpans>> all;
  for (const auto& [rank, units] : ranks) {
    auto& ordered = all.emplace_back();
    for (const auto& [unit, spans] : units) ordered.push_back(spans);
    std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  }
  return all;
} catch (const nlohmann::json::exception& e) {
  throw Error(ExitCode::bad_data, trace.string() + ": not a timeline of this version: " + e.what());
}

std::size_t units_in(const std::vector<std::vector<UnitSpans>>& ranks) {
  std::size_t units = 0;
  for (const auto& rank : ranks) units += rank.size();
  return units;
}

/// When each picture's file was written, in seconds and in order.
std::vector<double> times_of_files(const fs::path& folder) {
  std::vector<double> times;
  for (const auto& entry : fs::directory_iterator(folder)) {
    times.push_back(std::chrono::duration<double>(entry.last_write_time().time_since_epoch()).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// The last unit of an input may have fewer pictures than the others.
int pictures_a_unit(std::size_t pictures, std::size_t units) {
  return units == 0 ? 1 : static_cast<int>((pictures + units - 1) / units);
}

}  // namespace

ImageParts image_parts(const ImageRun& run) {
  std::array<std::vector<double>, 3> phases;
  std::vector<double> outside;
  const auto ranks = spans_of(run.folder / "trace.json");
  for (const auto& units : ranks) {
    for (std::size_t i = static_cast<std::size_t>(run.warm_up); i < units.size(); ++i) {
      for (std::size_t phase = 0; phase < phases.size(); ++phase) phases[phase].push_back(units[i].seconds[phase]);
      if (i + 1 == units.size()) continue;
      const auto& [encode, denoise, decode] = units[i].seconds;
      outside.push_back(units[i + 1].begin - units[i].begin - encode - denoise - decode);
    }
  }
  if (outside.empty()) too_few(run);
  ImageParts parts;
  parts.batch = pictures_a_unit(times_of_files(run.folder / "images").size(), units_in(ranks));
  parts.encode_ms = median(phases[0]) / 1e3;
  parts.forward_ms = median(phases[1]) / 1e3 / run.forwards;
  parts.decode_ms = median(phases[2]) / 1e3;
  parts.outside_ms = median(outside) / 1e3;
  if (run.flops > 0) parts.percent = 100 * parts.batch * run.flops / (parts.forward_ms / 1e3) / kPeakFlops;
  return parts;
}

ImagePace image_pace(const ImageRun& run, const std::vector<Status>& readings) {
  const std::vector<double> written = times_of_files(run.folder / "images");
  const int batch = pictures_a_unit(written.size(), units_in(spans_of(run.folder / "trace.json")));
  const auto round = static_cast<std::size_t>(batch * run.ranks), warm = static_cast<std::size_t>(run.warm_up) * round;
  if (written.size() <= warm + round) too_few(run);
  ImagePace pace;
  pace.images = static_cast<int>(written.size());
  const std::size_t first = warm == 0 ? 0 : warm - 1, last = written.size() - round - 1;
  if (last <= first) too_few(run);
  pace.seconds_an_image = (written[last] - written[first]) / static_cast<double>(last - first);
  const Summary summary = read_summary(run.folder / "summary.json");
  pace.images_a_second = pace.images / summary.seconds;
  for (const RankSummary& rank : summary.ranks) {
    pace.peak_gib = std::max(pace.peak_gib, static_cast<double>(rank.peak_memory_bytes) / (1u << 30));
  }
  pace.gpu = gpu_use(readings, warm, run.ranks);
  return pace;
}

}  // namespace trireme
