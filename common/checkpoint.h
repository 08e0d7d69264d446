#pragma once
// What a job must know of its model before anything is loaded: the family, the family's defaults and a fingerprint.
// Rank 0 and the launcher read it; no tensor is read. Throws ConfigError(input_missing) for missing folders and files,
// Error(bad_data) for what is damaged, unknown, or not built yet, naming the file and what was found in it.

#include <optional>
#include <string>
#include <vector>

#include "common/job.h"
#include "common/safetensors.h"

namespace trireme {

enum class Makes { pictures, text };

/// What this checkpoint makes, and what `auto` means for it.
struct SamplingDefaults {
  Makes makes = Makes::pictures;

  // Pictures.
  int steps = 0;
  double guidance = 0;
  double no_guidance = 0;  // guidance up to this is none
  double shift = 1;
  int size_multiple = 1;                       // width and height are multiples of it
  std::vector<std::string> samplers{"euler"};  // the first is the default
  std::optional<std::string> system_prompt;    // nothing: the family takes none
  bool batches = false;                        // several pictures can be made together
  bool xml_prompts = false;                    // prompts may have tags, and are linted

  // Text, as transformers' generate takes them from generation_config.json.
  double temperature = 0;  // 0: greedy, as without do_sample
  int top_k = 50;          // 0: all
  double top_p = 1;
  double repetition_penalty = 1;
};

struct Checkpoint {
  std::string family;  // fake | fake_text | z_image | newbie_image | qwen2_5_vl
  SamplingDefaults defaults;
  /// 64 hex digits: config files, and of each shard its size, header and sampled blocks (none with dummy weights). The
  /// same files in another folder have the same fingerprint.
  std::string fingerprint;
};

Checkpoint inspect(const Job& job);

/// Of one shard: its size, header and sampled blocks.
std::string shard_fingerprint(const SafetensorsFile& shard);

}  // namespace trireme
