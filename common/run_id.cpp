#include "common/run_id.h"

#include <bit>

#include "common/sha256.h"

namespace trireme {
namespace {

constexpr std::size_t kDigits = 32;

/// Fields with their lengths, so that no two lists of fields make the same bytes.
class Fields {
 public:
  void add(std::string_view text) {
    hash_.update(std::to_string(text.size()) + ":");
    hash_.update(text);
  }
  void add(const char* text) { add(std::string_view(text)); }
  void add(std::uint64_t number) { add(std::to_string(number)); }
  void add(int number) { add(std::to_string(number)); }
  void add(double number) { add(std::bit_cast<std::uint64_t>(number + 0.0)); }
  std::string hex() const { return hash_.hex(); }

 private:
  Sha256 hash_;
};

/// Pictures by what is in their files, not by their names.
void add_text_values(Fields& fields, const Item& item) {
  for (const int number : {item.max_new_tokens, item.top_k}) fields.add(number);
  for (const double number : {item.temperature, item.top_p, item.repetition_penalty}) fields.add(number);
  fields.add(static_cast<std::uint64_t>(item.messages.size()));
  for (const ChatMessage& message : item.messages) {
    fields.add(message.role);
    fields.add(static_cast<std::uint64_t>(message.content.size()));
    for (const ContentPart& part : message.content) {
      fields.add(static_cast<int>(part.kind));
      fields.add(part.text);
      if (part.kind == ContentPart::Kind::image) fields.add(item.images.at(part.image).sha256);
    }
  }
}

}  // namespace

std::string run_id(const Job& job, const Checkpoint& checkpoint, std::string_view dtype, std::string_view tables,
                   const std::vector<Item>& items) {
  Fields fields;
  fields.add("trireme run 2");
  fields.add(checkpoint.family);
  fields.add(checkpoint.fingerprint);
  fields.add(job.model.weights);
  fields.add(dtype);
  fields.add(tables);
  fields.add(job.parallel.threads);
  fields.add(job.memory.vae_tiling ? (*job.memory.vae_tiling ? "true" : "false") : "auto");
  fields.add(job.dispatch.batch.value_or(1));
  fields.add(static_cast<std::uint64_t>(items.size()));
  for (const Item& item : items) {
    fields.add(item.id);
    fields.add(item.prompt);
    fields.add(item.negative_prompt);
    fields.add(item.seed);
    for (const int number : {item.width, item.height, item.steps}) fields.add(number);
    for (const double number : {item.guidance, item.cfg_truncation, item.cfg_normalization, item.shift})
      fields.add(number);
    fields.add(item.sampler);
    fields.add(item.system_prompt);
    add_text_values(fields, item);
  }
  return fields.hex().substr(0, kDigits);
}

}  // namespace trireme
