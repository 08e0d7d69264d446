#include "common/tokenizer/tokenizer.h"

#include <algorithm>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/subword_model.h"
#include "common/tokenizer/template.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::uint64_t kMaxFileBytes = 200'000'000;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 26;  // a piece may be all of it, 40 bytes of memory a byte

JsonObject checked(const nlohmann::json& root, const std::string& source) {
  JsonObject json(root, source);
  json.refuse_unknown({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                       "post_processor", "decoder", "model"});
  if (json.get_string("version") != "1.0") json.fail("version", "only 1.0 is supported");
  return json;
}

}  // namespace

// Truncation and padding of the file concern batches; how long a text may be is the caller's to say.
struct Tokenizer::Parts {
  explicit Parts(const JsonObject& json)
      : normalizer(json.has("normalizer") ? make_normalizer(json.get_object("normalizer")) : nullptr),
        pre_tokenizer(make_pre_tokenizer(json.get_object("pre_tokenizer"))),
        model(make_subword_model(json.get_object("model"))),
        decoder(make_decoder(json.get_object("decoder"))),
        added(json, *model, normalizer.get()),
        around(json.has("post_processor") ? read_template(json.get_object("post_processor")) : TokenTemplate{}) {}

  std::unique_ptr<Normalizer> normalizer;  // may be none
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<SubwordModel> model;
  std::unique_ptr<TokenDecoder> decoder;
  AddedTokens added;
  TokenTemplate around;
};

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& tokenizer_json) {
  return parse(read_file(tokenizer_json, kMaxFileBytes), tokenizer_json.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& source) {
  const nlohmann::json root = parse_json(json, source);
  return Tokenizer(std::make_unique<Parts>(checked(root, source)));
}

std::vector<int> Tokenizer::encode(std::string_view utf8) const {
  if (const auto bad = find_invalid_utf8(utf8)) throw ItemError("invalid UTF-8 at byte " + std::to_string(*bad));
  if (utf8.size() > kMaxTextBytes) throw ItemError("a text of " + std::to_string(utf8.size()) + " bytes is too long");
  std::vector<int> ids;
  for (const auto& raw : parts_->added.split_raw(utf8)) {
    if (raw.id) {
      ids.push_back(*raw.id);
      continue;
    }
    const std::string text = parts_->normalizer ? parts_->normalizer->normalize(raw.text) : std::string(raw.text);
    for (const auto& segment : parts_->added.split_normalized(text)) {
      if (segment.id) {
        ids.push_back(*segment.id);
      } else {
        parts_->model->encode(parts_->pre_tokenizer->cut({std::string(segment.text), {segment.text.size()}}), ids);
      }
    }
  }
  return ids;
}

std::vector<int> Tokenizer::encode_templated(std::string_view utf8, std::size_t max_tokens) const {
  const TokenTemplate& around = parts_->around;
  std::vector<int> ids = encode(utf8);
  ids.resize(std::min(ids.size(), max_tokens - std::min(max_tokens, around.before.size() + around.after.size())));
  ids.insert(ids.begin(), around.before.begin(), around.before.end());
  ids.insert(ids.end(), around.after.begin(), around.after.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const int id : ids) {
    const std::string* added = parts_->added.decoded(id);
    const std::string* token = added ? added : parts_->model->token(id);
    if (token && !(skip_special && parts_->added.is_special(*token))) tokens.push_back(*token);
  }
  std::string text;
  for (const std::string& part : parts_->decoder->decode(std::move(tokens))) text += part;
  return text;
}

std::optional<int> Tokenizer::id(std::string_view token) const {
  const std::optional<int> added = parts_->added.id(token);
  return added ? added : parts_->model->id(token);
}

std::size_t Tokenizer::vocab_size() const {
  return parts_->model->size() + parts_->added.count_outside(*parts_->model);
}

}  // namespace trireme
