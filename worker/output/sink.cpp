#include "worker/output/sink.h"

namespace trireme {

std::vector<std::string_view> sink_names(const Job::Output& output, Makes makes) {
  std::vector<std::string_view> names;
  if (output.images == "png" && makes == Makes::pictures) names.push_back("png");
  if (output.tensors) names.push_back("tensors");
  return names;
}

}  // namespace trireme
