#include "tests/worker/models/qwen2_5_vl_golden.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "tests/worker/golden.h"
#include "worker/models/list.h"
#include "worker/output/png.h"
#include "worker/transport/self_transport.h"

namespace trireme::test {

QwenGolden::QwenGolden(std::string checkpoint)
    : name(std::move(checkpoint)),
      folder(golden_folder() / name),
      cases(read_json(folder.string() + ".json")),
      tensors(read_tensors(folder.string() + ".safetensors")),
      files(read_model_files(folder, /*weights=*/true, "qwen2_5_vl")) {}

const nlohmann::json& QwenGolden::answer(const std::string& case_name) const {
  for (const nlohmann::json& answer : cases.at("answers")) {
    if (answer.at("name") == case_name) return answer;
  }
  throw std::runtime_error("no golden case " + case_name);
}

at::Tensor golden_picture(std::int64_t height, std::int64_t width, std::uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randint(0, 256, {3, height, width}, generator, at::TensorOptions(at::kByte))
      .permute({1, 2, 0})
      .contiguous();
}

std::vector<ChatMessage> messages_of(const nlohmann::json& messages) {
  std::vector<ChatMessage> result;
  std::uint32_t pictures = 0;
  for (const nlohmann::json& message : messages) {
    ChatMessage& turn = result.emplace_back();
    turn.role = message.at("role");
    if (message.at("content").is_string()) {
      turn.content.push_back({ContentPart::Kind::text, message.at("content"), 0});
      continue;
    }
    for (const nlohmann::json& part : message.at("content")) {
      if (part.at("type") == "image") {
        turn.content.push_back({ContentPart::Kind::image, "", pictures++});
      } else {
        turn.content.push_back({ContentPart::Kind::text, part.at("text"), 0});
      }
    }
  }
  return result;
}

Item text_item(const nlohmann::json& answer) {
  Item item;
  item.id = answer.at("name");
  item.messages = messages_of(answer.at("messages"));
  for (const nlohmann::json& message : answer.at("messages")) {
    if (message.at("content").is_string()) continue;
    for (const nlohmann::json& part : message.at("content")) {
      if (part.at("type") != "image") continue;
      const at::Tensor pixels = golden_picture(part.at("height"), part.at("width"), part.at("seed"));
      const std::span<const std::uint8_t> bytes(pixels.data_ptr<std::uint8_t>(), pixels.nbytes());
      ImageFile file;
      file.name = "picture" + std::to_string(item.images.size()) + ".png";
      file.data = encode_png(bytes, part.at("width"), part.at("height"), {});
      file.bytes = file.data.size();
      item.images.push_back(file);
    }
  }
  item.max_new_tokens = answer.at("max_new_tokens");
  item.repetition_penalty = answer.at("repetition_penalty");
  return item;
}

std::unique_ptr<Model> load_qwen(const QwenGolden& golden, at::ScalarType dtype, bool dummy,
                                 const std::vector<std::int64_t>& end_tokens, const Stage& stage) {
  Job job;
  job.output.tensors = true;
  ModelFiles files = golden.files;
  if (!end_tokens.empty()) files.parts["generation"].config = nlohmann::json{{"eos_token_id", end_tokens}}.dump();
  if (dummy) {
    for (auto& [name, part] : files.parts) part.tensors.clear();
  }
  PartParameters wanted;
  std::unique_ptr<Model> model = make_model("qwen2_5_vl", {job, at::kCPU, dtype, stage}, files, wanted);
  SelfTransport transport(at::kCPU);
  if (dummy) {
    make_dummy_weights(wanted, dtype, at::kCPU);
  } else {
    load_weights(files, wanted, dtype, at::kCPU, transport, [] {});
  }
  return model;
}

std::vector<Result> write_all(Model& model, const std::vector<Item>& items, int* passes) {
  Slices slices;
  const auto run = [&] {
    for (const Slice& slice : slices) slice.run();
    slices.clear();
  };
  const std::unique_ptr<Session> session = model.begin({.items = items}, slices);
  run();
  while (!session->done()) {
    for (int half = 0; half < session->halves; ++half) {
      model.enter(*session, half, slices);
      model.layers(*session, half, {0, model.layer_count()}, slices);
      model.leave(*session, half, slices);
    }
    model.advance(*session, slices);
    run();
  }
  std::vector<Result> results;
  model.finish(*session, slices, results);
  run();
  for (Result& result : results) result.complete(result);
  if (passes != nullptr) *passes = session->pass;
  return results;
}

}  // namespace trireme::test
