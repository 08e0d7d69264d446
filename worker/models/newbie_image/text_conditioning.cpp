#include "worker/models/newbie_image/text_conditioning.h"

#include <array>
#include <utility>

#include "common/errors.h"

namespace trireme::newbie_image {
namespace {

/// The released model with its vision tower, the same saved later, a text model alone.
std::string find_prefix(const PartConfig& part) {
  constexpr std::array<const char*, 4> kPrefixes{"language_model.model.", "model.language_model.", "model.", ""};
  if (!part.has_tensors()) return kPrefixes.front();
  for (const char* prefix : kPrefixes) {
    if (part.has_tensor(std::string(prefix) + "embed_tokens.weight")) return prefix;
  }
  throw Error(ExitCode::bad_data, part.place() +
                                      ": no tensor model.embed_tokens.weight beside it under any prefix, so this "
                                      "is not a Gemma 3 text encoder");
}

nn::CaptionEncoder make_gemma(const ModelFiles& files) {
  const PartConfig part(files, "text_encoder");
  const PartConfig text = part.section("text_config");
  if (text.json().get_string_or("model_type", "") != "gemma3_text") {
    text.json().fail("model_type", "must be gemma3_text");
  }
  return nn::CaptionEncoder(text, find_prefix(part), Tokenizer::parse(files.tokenizer_json, "Gemma's tokenizer.json"));
}

JinaTower make_jina(const ModelFiles& files) {
  const ModelPart& tokenizer = files.part("clip_tokenizer");
  return JinaTower(PartConfig(files, "clip_model"),
                   Tokenizer::parse(tokenizer.config, (files.folder / tokenizer.config_file).string()));
}

}  // namespace

TextConditioning::TextConditioning(const ModelFiles& files) : gemma_(make_gemma(files)), jina_(make_jina(files)) {}

void TextConditioning::want(PartParameters& wanted) {
  Parameters& gemma = wanted["text_encoder"];
  gemma_.want(gemma);
  for (const char* prefix : {"vision_tower.", "model.vision_tower.", "multi_modal_projector.",
                             "model.multi_modal_projector.", "language_model.lm_head.", "spiece_model"}) {
    gemma.skip(prefix, "only the text model is used");
  }
  jina_.want(wanted["clip_model"]);
}

void TextConditioning::keep_on_host(PartParameters& wanted, WeightStream& weights) {
  gemma_.keep_on_host(wanted["text_encoder"], weights);
  const std::string layers = jina_.config().prefix + "encoder.layers.";
  for (std::size_t i = 0; i < jina_.layer_count(); ++i) {
    weights.add_layer(jina_key(i), wanted["clip_model"], layers + std::to_string(i) + ".");
  }
}

std::string TextConditioning::positive(const std::string& system_prompt, const std::string& prompt) {
  return system_prompt + prompt;
}

std::string TextConditioning::negative(const std::string& system_prompt, const std::string& prompt) {
  return prompt.empty() ? "" : system_prompt + prompt;
}

}  // namespace trireme::newbie_image
