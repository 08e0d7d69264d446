#pragma once
// Classifier-free guidance. Z-Image counts from the positive prediction, positive + g * (positive - negative), NewBie
// from the negative one, negative + g * (positive - negative): g = 4 there is 5 here. Ref: diffusers
// pipeline_z_image.py; NewBie's forward_with_cfg.

#include <ATen/core/Tensor.h>

namespace trireme {

struct Guidance {
  enum class From { positive, negative };

  double scale = 0;       // g; off: 0 from the positive prediction, up to 1 from the negative one
  double truncation = 1;  // no guidance in steps whose model time is above this (from the negative one: reaches this)
  double normalization = 0;  // largest ratio of the norms of the joined and the positive prediction; 0 = off
  From from = From::positive;

  /// Does a step at this model time need the negative half?
  bool applies(float time) const {
    if (from == From::negative) return scale > 1 && static_cast<double>(time) < truncation;
    return scale > 0 && static_cast<double>(time) <= truncation;
  }
};

/// Both predictions float32, same shape -> the joined one. The norms are compared on the device.
at::Tensor join(const Guidance& guidance, const at::Tensor& positive, const at::Tensor& negative);

}  // namespace trireme
