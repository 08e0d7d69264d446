#pragma once
// Classifier-free guidance as Z-Image defines it: positive + g * (positive - negative), so g = 4 here is 5 in the
// "unconditional + s * (conditional - unconditional)" convention. Ref: diffusers pipeline_z_image.py.

#include <ATen/core/Tensor.h>

namespace trireme {

struct Guidance {
  double scale = 0;          // g; 0 = off
  double truncation = 1;     // no guidance in steps whose model time is above this; times are below 1
  double normalization = 0;  // largest ratio of the norms of the joined and the positive prediction; 0 = off

  /// Does a step at this model time need the negative half?
  bool applies(float time) const { return scale > 0 && static_cast<double>(time) <= truncation; }
};

/// Both predictions float32, same shape -> the joined one. The norms are compared on the device.
at::Tensor join(const Guidance& guidance, const at::Tensor& positive, const at::Tensor& negative);

}  // namespace trireme
