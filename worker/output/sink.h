#pragma once
// One kind of result file. Sinks run on the writers' threads: no calls of LibTorch but for looking at sizes and data of
// a tensor. A file's bytes depend on the item and its result alone: nothing of rank, host, time, path or world size.
//
// To add a kind: a file in this folder, a line in `kSinks`, its job key in `sink_names`.

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"
#include "common/journal_lines.h"
#include "worker/models/model.h"

namespace trireme {

/// What a picture says of how it was made, beside the item's own values.
struct PictureFacts {
  std::string model;        // "Z-Image-Turbo"
  std::string fingerprint;  // of the checkpoint
  std::string dtype;        // "bfloat16"
  std::string program;      // "trireme 0.1.0"
};

struct SinkSettings {
  std::filesystem::path directory;  // of the run
  bool png_metadata = true;
  PictureFacts facts;
};

/// What became of one item.
struct Written {
  Item item;
  FileRecord picture, tensors;
  std::optional<TextResult> text;
  double seconds = 0;  // to encode, write and sync
  std::string error;   // why the item failed; empty: done
  bool degraded = false;
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Writes the item's file durably and notes it in `written`. Several threads at once. Throws ItemError when this
  /// result can't be written, Error(io_error or cannot_create) when nothing can.
  virtual void write(const Item& item, const Result& result, Written& written) const = 0;
};

std::unique_ptr<Sink> make_png_sink(const SinkSettings& settings);
std::unique_ptr<Sink> make_tensors_sink(const SinkSettings& settings);

struct SinkEntry {
  std::string_view name;
  std::unique_ptr<Sink> (*make)(const SinkSettings& settings);
};
inline constexpr std::array kSinks{SinkEntry{"png", make_png_sink}, SinkEntry{"tensors", make_tensors_sink}};

/// Names from `kSinks` that the job asks for; may be none. Text needs no file: it is in the journal.
std::vector<std::string_view> sink_names(const Job::Output& output, Makes makes);

}  // namespace trireme
