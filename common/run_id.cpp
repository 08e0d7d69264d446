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

}  // namespace

std::string run_id(const Job& job, const Checkpoint& checkpoint, std::string_view dtype, std::string_view tables,
                   const std::vector<Item>& items) {
  Fields fields;
  fields.add("trireme run 1");
  fields.add(checkpoint.family);
  fields.add(checkpoint.fingerprint);
  fields.add(job.model.weights);
  fields.add(dtype);
  fields.add(tables);
  fields.add(job.parallel.threads);
  fields.add(job.memory.vae_tiling ? (*job.memory.vae_tiling ? "true" : "false") : "auto");
  fields.add(static_cast<std::uint64_t>(items.size()));
  for (const Item& item : items) {
    fields.add(item.id);
    fields.add(item.prompt);
    fields.add(item.negative_prompt);
    fields.add(item.seed);
    for (const int number : {item.width, item.height, item.steps}) fields.add(number);
    for (const double number : {item.guidance, item.cfg_truncation, item.cfg_normalization, item.shift})
      fields.add(number);
  }
  return fields.hex().substr(0, kDigits);
}

}  // namespace trireme
