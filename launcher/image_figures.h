#pragma once
// What a run of a job of pictures says about its speed, once warm: from its timeline, its summary and the times of its
// files.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/model_shape.h"
#include "launcher/gpu_watch.h"

namespace trireme {

/// Medians over units, behind the warm-up of each rank. Milliseconds are the device's, of one unit.
struct ImageParts {
  int batch = 1;                  // pictures of a unit
  double forward_ms = 0;          // of the transformer: one call for all pictures of a unit, and each half of guidance
  double encode_ms = 0;           // text encoder
  double decode_ms = 0;           // VAE
  double outside_ms = 0;          // between two units, no network at work
  std::optional<double> percent;  // of kPeakFlops in the forwards; families without shapes have none
};
inline constexpr double kPeakFlops = 790e12;  // short bursts of an H200 in bfloat16

struct ImagePace {
  int images = 0;               // in all
  double seconds_an_image = 0;  // from the last picture of the warm-up on disk to the last before each rank's last
                                // unit, whose decoding has no steps beside it
  double images_a_second = 0;   // of the whole job, from its first scatter
  double peak_gib = 0;          // of the rank that took most
  std::optional<GpuUse> gpu;
};

struct ImageRun {
  std::filesystem::path folder;
  int ranks = 1;
  int warm_up = 2;      // units of each rank
  double forwards = 1;  // of a unit, halves of guidance counted one by one
  double flops = 0;     // of one forward of one picture; 0: not known
};

/// `run`: with a timeline, and nothing of one unit beside another. Throws Error(bad_data) naming the file, also where
/// there are too few units to leave out those of the warm-up, and for the pace the last.
ImageParts image_parts(const ImageRun& run);
ImagePace image_pace(const ImageRun& run, const std::vector<Status>& readings);

}  // namespace trireme
