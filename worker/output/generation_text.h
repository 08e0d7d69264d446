#pragma once
// How a picture was made, as text in its PNG: `parameters` in the shape that AUTOMATIC1111's web UI made common and
// many tools read, and `trireme`, JSON with every value exactly. Plain functions.

#include <vector>

#include "common/item.h"
#include "worker/output/png.h"
#include "worker/output/sink.h"

namespace trireme {

std::vector<PngText> generation_texts(const Item& item, const PictureFacts& facts);

}  // namespace trireme
