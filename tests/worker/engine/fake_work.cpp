#include "tests/worker/engine/fake_work.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <utility>

#include "worker/models/fake/fake_model.h"
#include "worker/models/fake/fake_text.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

constexpr int kMostCalls = 100'000;  // of progress

Job job_with_tensors() {
  Job job;
  job.output.tensors = true;
  return job;
}

}  // namespace

std::unique_ptr<Model> fake_pictures() { return make_fake_model({job_with_tensors(), at::kCPU, at::kFloat}); }
std::unique_ptr<Model> fake_texts() { return make_fake_text_model({job_with_tensors(), at::kCPU, at::kFloat}); }

Item picture_item(const std::string& id, const std::string& prompt, int steps) {
  Item item;
  item.id = id;
  item.prompt = prompt;
  item.seed = 7;
  item.width = 12;
  item.height = 10;
  item.steps = steps;
  return item;
}

Unit picture_unit(std::uint64_t index, const std::string& prompt, double guidance, int steps) {
  Item item = picture_item("item" + std::to_string(index), prompt, steps);
  item.seed = index;
  item.guidance = guidance;
  return {index, {item}};
}

Unit text_unit(const std::vector<std::string>& prompts) {
  Unit unit;
  for (const std::string& prompt : prompts) {
    Item& item = unit.items.emplace_back();
    item.id = "item" + std::to_string(unit.items.size() - 1);
    item.messages = {{"user", {{ContentPart::Kind::text, prompt, 0}}}};
    item.max_new_tokens = 4;
  }
  return unit;
}

std::vector<Finished> run_out(Engine& engine) {
  std::vector<Finished> all;
  for (int calls = 0; !engine.idle() && calls < kMostCalls; ++calls) {
    engine.progress();
    while (auto finished = engine.take()) all.push_back(std::move(*finished));
  }
  EXPECT_TRUE(engine.idle());
  return all;
}

std::map<std::string, Result> by_id(std::vector<Finished> finished) {
  std::map<std::string, Result> results;
  for (Finished& one : finished) {
    for (Result& result : one.results) results[result.id] = std::move(result);
  }
  return results;
}

}  // namespace trireme
