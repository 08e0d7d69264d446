#include "common/run_id.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace trireme {
namespace {

struct Inputs {
  Job job;
  Checkpoint checkpoint{"z_image", {}, "f00d"};
  std::string dtype = "float32", tables = "1";
  std::vector<Item> items{{.id = "a", .prompt = "cat"}, {.id = "b", .prompt = "dog"}};

  std::string id() const { return run_id(job, checkpoint, dtype, tables, items); }
};

void ask_about(Item& item, const std::string& sha256) {
  item.images = {{"a.png", "", sha256, 4, ""}};
  item.messages = {{"user", {{ContentPart::Kind::image, "", 0}}}};
}

TEST(RunId, DependsOnEverythingThatBitsDependOn) {
  const std::vector<std::function<void(Inputs&)>> changes = {
      [](Inputs& in) {},
      [](Inputs& in) { in.checkpoint.family = "fake"; },
      [](Inputs& in) { in.checkpoint.fingerprint = "beef"; },
      [](Inputs& in) { in.dtype = "bfloat16"; },
      [](Inputs& in) { in.tables = "2"; },
      [](Inputs& in) { in.job.model.weights = "dummy"; },
      [](Inputs& in) { in.job.parallel.threads = 2; },
      [](Inputs& in) { in.job.memory.vae_tiling = true; },
      [](Inputs& in) { in.job.memory.vae_tiling = false; },
      [](Inputs& in) { std::swap(in.items[0], in.items[1]); },
      [](Inputs& in) { in.items.pop_back(); },
      [](Inputs& in) { in.items[0].id = "c"; },
      [](Inputs& in) { in.items[0].prompt += std::string(1, '\0'); },
      [](Inputs& in) { in.items[0].negative_prompt = "x"; },
      [](Inputs& in) { in.items[0].prompt = "", in.items[0].negative_prompt = "cat"; },
      [](Inputs& in) { in.items[0].seed = 1; },
      [](Inputs& in) { in.items[0].width = 1; },
      [](Inputs& in) { in.items[0].height = 1; },
      [](Inputs& in) { in.items[0].steps = 1; },
      [](Inputs& in) { in.items[0].guidance = 1; },
      [](Inputs& in) { in.items[0].cfg_truncation = 0.5; },
      [](Inputs& in) { in.items[0].cfg_normalization = 1; },
      [](Inputs& in) { in.items[0].shift = 3; },
      [](Inputs& in) { in.items[0].sampler = "midpoint"; },
      [](Inputs& in) { in.items[0].system_prompt = "x"; },
      [](Inputs& in) { in.items[0].max_new_tokens = 3; },
      [](Inputs& in) { in.items[0].temperature = 0.5; },
      [](Inputs& in) { in.items[0].top_k = 3; },
      [](Inputs& in) { in.items[0].top_p = 0.5; },
      [](Inputs& in) { in.items[0].repetition_penalty = 1.5; },
      [](Inputs& in) {
        in.items[0].messages = {{"user", {}}};
      },
      [](Inputs& in) {
        in.items[0].messages = {{"system", {}}};
      },
      [](Inputs& in) {
        in.items[0].messages = {{"user", {{ContentPart::Kind::text, "x", 0}}}};
      },
      [](Inputs& in) { ask_about(in.items[0], "cafe"); },
      [](Inputs& in) { ask_about(in.items[0], "babe"); },
      [](Inputs& in) { in.job.dispatch.batch = 2; },
  };
  std::set<std::string> ids;
  for (const auto& change : changes) {
    Inputs inputs;
    change(inputs);
    EXPECT_EQ(inputs.id(), inputs.id());
    EXPECT_EQ(inputs.id().size(), 32u);
    ids.insert(inputs.id());
  }
  EXPECT_EQ(ids.size(), changes.size());
}

TEST(RunId, IgnoresHowTheJobIsRun) {
  Inputs inputs;
  const std::string id = inputs.id();
  inputs.job.parallel.transport = "mpi";
  inputs.job.dispatch.policy = "static";
  inputs.job.dispatch.queue_depth = 7;
  inputs.job.memory.fraction = 0.5;
  inputs.job.output.directory = "elsewhere";
  inputs.job.output.tensors = true;
  inputs.job.limits.max_attempts = 9;
  inputs.job.monitor.interval_seconds = 1;
  EXPECT_EQ(inputs.id(), id);
}

}  // namespace
}  // namespace trireme
