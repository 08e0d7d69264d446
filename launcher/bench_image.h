#pragma once
// trireme bench image JOB: how fast a job of pictures is once warm, and what its time goes into, in the columns that
// bench/peers prints for others; with -n 1,2,4 how much of each GPU's own speed several of them keep.

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "launcher/image_figures.h"

namespace trireme {

struct ImageRow {
  std::string what;  // "ours", or what the user calls it
  int gpus = 1, width = 0, height = 0;
  ImageParts parts;
  ImagePace pace;
};
/// Markdown: its head, and a line for a row, each with a newline. What was not measured is left empty.
std::string image_table_head();
std::string to_line(const ImageRow& row);

/// Several GPUs in one job beside the sums of what each does in a job of its own: one after the other, and all at once,
/// when the GPUs are as hot as in the one job.
struct ScaleRow {
  int gpus = 1;
  ImagePace pace;
  double alone = 0, at_once = 0;  // images a second
};
std::string scale_table_head();
std::string to_line(const ScaleRow& row);

void add_bench_image(CLI::App& bench);

}  // namespace trireme
