#include "common/caption_lengths.h"

#include "common/errors.h"
#include "common/families.h"
#include "common/tokenizer/chat.h"
#include "common/tokenizer/tokenizer.h"

namespace trireme {
namespace {

int padded_tokens(const Tokenizer& tokenizer, const std::string& prompt) try {
  const std::size_t tokens = tokenizer.encode_templated(z_image_prompt(prompt), kMaxCaptionTokens).size();
  return (static_cast<int>(tokens) + kCaptionMultiple - 1) / kCaptionMultiple * kCaptionMultiple;
} catch (const ItemError&) {
  return 0;
}

}  // namespace

std::vector<int> caption_lengths(const Job& job, const Checkpoint& checkpoint, const std::vector<Item>& items) {
  std::vector<int> lengths;
  if (checkpoint.family != "z_image") return lengths;
  const Tokenizer tokenizer = Tokenizer::load(job.model.path / files_of(checkpoint.family, job.model.path).tokenizer);
  for (const Item& item : items) {
    const bool guided = item.guidance > checkpoint.defaults.no_guidance;
    lengths.push_back(padded_tokens(tokenizer, item.prompt) +
                      (guided ? padded_tokens(tokenizer, item.negative_prompt) : 0));
  }
  return lengths;
}

}  // namespace trireme
