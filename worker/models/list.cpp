#include "worker/models/list.h"

#include <array>

#include "common/errors.h"
#include "worker/models/fake/fake_model.h"

namespace trireme {
namespace {

using Make = std::unique_ptr<Model> (*)(const ModelSettings&, const ModelFiles&, PartParameters&);

struct Family {
  const char* name;
  Make make;
};

// To add a family: a folder beside this file and a line here.
constexpr std::array kFamilies{
    Family{"fake",
           [](const ModelSettings& settings, const ModelFiles&, PartParameters&) { return make_fake_model(settings); }},
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
