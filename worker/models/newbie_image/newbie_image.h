#pragma once
// NewBie-image: text to image from a caption and a pooled text, by guidance over a flow-match schedule. Ref: NewBie
// demo.py.

#include <memory>

#include "worker/models/list.h"

namespace trireme::newbie_image {

std::unique_ptr<Model> make_newbie_image(const ModelSettings& settings, const ModelFiles& files,
                                         PartParameters& wanted);

}  // namespace trireme::newbie_image
