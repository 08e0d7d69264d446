#include "worker/models/list.h"

#include <array>

#include "common/errors.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/fake/fake_text.h"
#include "worker/models/newbie_image/newbie_image.h"
#include "worker/models/qwen2_5_vl/qwen2_5_vl.h"
#include "worker/models/z_image/z_image.h"

namespace trireme {
namespace {

using Make = std::unique_ptr<Model> (*)(const ModelSettings&, const ModelFiles&, PartParameters&);

struct Family {
  const char* name;
  Make make;
};

std::unique_ptr<Model> fake(const ModelSettings& settings, const ModelFiles&, PartParameters&) {
  return make_fake_model(settings);
}

std::unique_ptr<Model> fake_text(const ModelSettings& settings, const ModelFiles&, PartParameters&) {
  return make_fake_text_model(settings);
}

// To add a family: a folder beside this file and a line here.
constexpr std::array kFamilies{
    Family{"fake", fake},
    Family{"fake_text", fake_text},
    Family{"qwen2_5_vl", qwen2_5_vl::make_qwen2_5_vl},
    Family{"z_image", z_image::make_z_image},
    Family{"newbie_image", newbie_image::make_newbie_image},
};

}  // namespace

std::unique_ptr<Model> make_model(const std::string& family, const ModelSettings& settings, const ModelFiles& files,
                                  PartParameters& wanted) {
  for (const Family& known : kFamilies) {
    if (family == known.name) return known.make(settings, files, wanted);
  }
  throw Error(ExitCode::internal, "no model family is named " + family);
}

}  // namespace trireme
