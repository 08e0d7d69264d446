#pragma once
// What the files of a Qwen2.5-VL checkpoint say: sizes of the vision tower and the text decoder, the names their
// tensors go by (released, or as transformers saves them again), special tokens. Flat and nested configs are read. Ref:
// transformers configuration_qwen2_5_vl.py.

#include <cstdint>
#include <string>
#include <vector>

#include "worker/nn/decoder_config.h"
#include "worker/weights/model_files.h"
#include "worker/weights/part_config.h"

namespace trireme::qwen2_5_vl {

struct VisionConfig {
  std::int64_t depth = 0, hidden = 0, intermediate = 0, heads = 0, out_hidden = 0;
  std::int64_t channels = 3, patch = 14, temporal = 2, merge = 2;
  std::int64_t window = 0;     // cells of merge x merge patches a window is wide and high
  std::vector<bool> sees_all;  // by block: the whole picture, else its window
  std::int64_t head_dim() const { return hidden / heads; }
  std::int64_t cell() const { return merge * merge; }  // patches that become one token
};

struct Config {
  VisionConfig vision;
  nn::DecoderConfig text;
  std::vector<std::int64_t> mrope_section;  // pairs of a head that turn by time, row, column, and so on in turn
  std::int64_t max_positions = 0;
  bool tied_head = false;
  std::string vision_prefix, text_prefix;  // of tensor names
  std::int64_t image_token = 0, video_token = 0;
  std::vector<std::int64_t> end_tokens;  // any of them ends an answer
};

/// Throws Error(bad_data) for what is missing or can't be computed, with file and key.
Config read_config(const ModelFiles& files);

}  // namespace trireme::qwen2_5_vl
