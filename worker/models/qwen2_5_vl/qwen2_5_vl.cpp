#include "worker/models/qwen2_5_vl/qwen2_5_vl.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "worker/graphs.h"
#include "worker/models/on_item.h"
#include "worker/models/qwen2_5_vl/answer.h"
#include "worker/models/qwen2_5_vl/picture_encoder.h"
#include "worker/models/qwen2_5_vl/rows_note.h"
#include "worker/models/qwen2_5_vl/session.h"
#include "worker/models/streamed.h"
#include "worker/nn/upload.h"

namespace trireme::qwen2_5_vl {
namespace {

constexpr int kStepLayersPerSlice = 7;
// The first step loads its kernels. A capture costs the host little more than launching the step, which for a large
// batch takes it longer than the step takes the device.
constexpr int kStepsBeforeGraph = 2;
constexpr const char* kPlaceholder = "<|image_pad|>";

TextSession& cast(Session& session) { return static_cast<TextSession&>(session); }

template <class Number>
at::Tensor numbers(const std::vector<Number>& values, at::ScalarType type, at::Device device) {
  const at::Tensor host = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), host.data_ptr<std::int64_t>());
  return nn::upload(host.to(type), device);
}

bool has_graphs(const ModelSettings& settings) {
  return settings.job.memory.offload != "layers" && settings.job.memory.graphs.value_or(true);
}

/// Whose steps take turns: those of a ring, and one that has just ended.
std::size_t sessions_at_once(const ModelSettings& settings) {
  return static_cast<std::size_t>(settings.job.parallel.micro_batches.value_or(settings.stage.count)) + 1;
}

class Qwen25Vl final : public Model {
 public:
  Qwen25Vl(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted)
      : device_(settings.device),
        dtype_(settings.dtype),
        tensors_(settings.job.output.tensors),
        stage_(settings.stage),
        config_(read_config(files)),
        pictures_(files, config_.vision,
                  {settings.device, settings.job.output.tensors, settings.job.memory.offload == "layers",
                   has_graphs(settings)}),
        tokenizer_(std::make_shared<Tokenizer>(
            Tokenizer::parse(files.tokenizer_json, (files.folder / "tokenizer.json").string()))),
        decoder_(config_.text, config_.text.layers),
        layer_weights_(device_, settings.job.memory.offload == "layers", kPassPlaces),
        graphs_(device_, has_graphs(settings), sessions_at_once(settings)) {
    check_fit(files);
    Parameters& parameters = wanted["model"];
    if (stage_.first()) pictures_.want(parameters, config_.vision_prefix);
    decoder_.want(parameters, config_.text_prefix,
                  {.embeddings = stage_.first() || (stage_.last() && config_.tied_head),
                   .layers = own_layers(),
                   .final_norm = stage_.last()});
    for (int i = own_layers().first; i < own_layers().last; ++i) {
      layer_weights_.add_layer(i, parameters, config_.text_prefix + "layers." + std::to_string(i) + ".");
    }
    if (config_.tied_head) {
      parameters.skip("lm_head.", "tied to the embeddings");
    } else if (stage_.last()) {
      parameters.want("lm_head.weight", {config_.text.vocab, config_.text.hidden}, &head_);
    }
  }

  at::Device device() const override { return device_; }
  int layer_count() const final { return static_cast<int>(decoder_.layer_count()); }
  Layers own_layers() const final { return stage_.layers(layer_count()); }

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override;
  void enter(Session& session, int half, Slices& slices) override;
  void layers(Session& session, int half, Layers range, Slices& slices) override;
  void leave(Session& session, int half, Slices& slices) override;
  void advance(Session& session, Slices& slices) override;
  void follow(Session& session, Slices& slices) override;
  Crossing crossing(const Session& session, int half) const override;
  std::string note(const Session& session) const override;
  std::unique_ptr<Session> begin_later(const Unit& unit, const std::string& note, Slices& slices) override;
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override;

 private:
  void check_fit(const ModelFiles& files) const;
  void read_prompt(TextSession& session, std::size_t item) const;
  void prepare_steps(TextSession& session) const;
  at::Tensor embed_prompt(const Row& row) const;
  at::Tensor logits_of(const at::Tensor& hidden) const;
  at::Tensor first_logits(TextSession& session) const;

  at::Device device_;
  at::ScalarType dtype_;
  bool tensors_;
  Stage stage_;
  Config config_;
  PictureEncoder pictures_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  nn::Decoder decoder_;
  at::Tensor head_;
  WeightStream layer_weights_;  // memory.offload
  Graphs graphs_;               // of the steps: one a session
  std::uint64_t sessions_ = 0;
};

void Qwen25Vl::check_fit(const ModelFiles& files) const {
  if (tokenizer_->vocab_size() > static_cast<std::size_t>(config_.text.vocab)) {
    throw Error(ExitCode::bad_data, files.folder.string() + ": the tokenizer has " +
                                        std::to_string(tokenizer_->vocab_size()) + " tokens, the decoder only " +
                                        std::to_string(config_.text.vocab) + " embeddings");
  }
  if (tokenizer_->id(kPlaceholder) != config_.image_token) {
    throw Error(ExitCode::bad_data, files.folder.string() + ": image_token_id " + std::to_string(config_.image_token) +
                                        " of config.json is not " + kPlaceholder + " of tokenizer.json");
  }
}

std::unique_ptr<Session> Qwen25Vl::begin(const Unit& unit, Slices& slices) {
  auto session = std::make_unique<TextSession>(unit, ++sessions_);
  TextSession& s = *session;
  for (std::size_t i = 0; i < unit.items.size(); ++i) {
    on_item(i, [&] {
      const Item& item = unit.items[i];
      if (item.max_new_tokens < 1) throw ItemError("max_new_tokens must be at least 1");
      for (const ChatMessage& message : item.messages) {
        for (const ContentPart& part : message.content) {
          if (part.kind == ContentPart::Kind::image) s.rows[i].pictures.push_back({.file = part.image});
        }
      }
    });
    for (Picture& picture : s.rows[i].pictures) {
      pictures_.encode(s.unit.items[i].images.at(picture.file), i, picture, slices);
    }
    s.passes = std::max(s.passes, unit.items[i].max_new_tokens);
  }
  s.halves = static_cast<int>(unit.items.size());  // the first pass takes the prompts one by one
  for (std::size_t i = 0; i < unit.items.size(); ++i) {
    slices.push_back({Phase::encode, [this, &s, i] { on_item(i, [&] { read_prompt(s, i); }); }});
  }
  slices.push_back({Phase::encode, [this, &s] { prepare_steps(s); }});
  return session;
}

/// A prompt with its tables, and where the keys and values of its row go.
void Qwen25Vl::read_prompt(TextSession& s, std::size_t item) const {
  Row& row = s.rows[item];
  std::vector<TokenGrid> grids;
  for (const Picture& picture : row.pictures) grids.push_back(picture.grid);
  row.prompt = make_prompt(s.unit.items[item].messages, grids, *tokenizer_, config_);
  const auto tokens = static_cast<std::int64_t>(row.prompt.ids.size());
  const std::int64_t wanted = s.unit.items[item].max_new_tokens;
  if (tokens + wanted > config_.max_positions) {
    throw ItemError("the prompt of " + std::to_string(tokens) + " tokens and max_new_tokens " + std::to_string(wanted) +
                    " are more than the " + std::to_string(config_.max_positions) + " tokens this model can hold");
  }
  if (stage_.first()) row.ids = numbers(row.prompt.ids, at::kLong, device_);
  row.pass.rope = nn::upload(prompt_rope(row.prompt, config_), device_);
  row.pass.cache = &s.step.cache;
  row.pass.sequence = static_cast<std::int64_t>(item);
}

void Qwen25Vl::prepare_steps(TextSession& s) const {
  std::vector<nn::SamplingRules> rules;
  std::vector<std::int64_t> positions, lengths, most;
  std::int64_t capacity = 0, reach = 0;
  for (std::size_t i = 0; i < s.rows.size(); ++i) {
    const Item& item = s.unit.items[i];
    rules.push_back({item.repetition_penalty, item.temperature, item.top_k, item.top_p, item.seed});
    lengths.push_back(static_cast<std::int64_t>(s.rows[i].prompt.ids.size()));
    positions.push_back(s.rows[i].prompt.next_position);
    most.push_back(item.max_new_tokens);
    capacity = std::max(capacity, lengths.back() + s.passes);
    reach = std::max(reach, positions.back() + s.passes);
  }
  s.step.cache = decoder_.make_cache(s.row_count(), capacity, at::TensorOptions(dtype_).device(device_), own_layers());
  s.step.rope = decoder_.begin(at::arange(reach, at::kLong), device_).rope;
  s.step.rows = {numbers(positions, at::kInt, device_), numbers(lengths, at::kInt, device_)};
  if (!stage_.last()) return;
  s.picker = std::make_unique<nn::TokenPicker>(rules, config_.text.vocab, s.passes, device_);
  for (std::size_t i = 0; i < s.rows.size(); ++i) s.picker->see(static_cast<std::int64_t>(i), s.rows[i].prompt.ids);
  s.row_lengths = numbers(most, at::kLong, device_);
  s.end_tokens = numbers(config_.end_tokens, at::kLong, device_);
  s.written = at::zeros({s.passes, s.row_count()}, s.row_lengths.options());
  s.ended = at::zeros({s.row_count()}, s.row_lengths.options().dtype(at::kBool));
}

at::Tensor Qwen25Vl::embed_prompt(const Row& row) const {
  at::Tensor hidden = decoder_.embed(row.ids);
  for (std::size_t i = 0; i < row.pictures.size(); ++i) {
    const at::Tensor& features = row.pictures[i].features;
    hidden.narrow(0, row.prompt.image_rows[i], features.size(0)).copy_(features);
  }
  return hidden;
}

void Qwen25Vl::enter(Session& session, int half, Slices& slices) {
  TextSession& s = cast(session);
  if (s.pass > 0) {
    slices.push_back({Phase::decode, [this, &s] { s.hidden = decoder_.embed(s.state); }});
    return;
  }
  slices.push_back({Phase::prefill, [this, &row = s.rows[static_cast<std::size_t>(half)], &s] {
                      s.hidden = embed_prompt(row);
                      for (Picture& picture : row.pictures) {
                        device::keep_for_current_stream(picture.features);
                        picture.features.reset();
                        if (tensors_ && stage_.count > 1) s.side.push_back(picture.pixel_values);
                      }
                    }});
}

void Qwen25Vl::layers(Session& session, int half, Layers range, Slices& slices) {
  TextSession& s = cast(session);
  if (s.pass == 0) {
    const nn::DecoderPass& pass = s.rows[static_cast<std::size_t>(half)].pass;
    for (int i = range.first; i < range.last; ++i) {
      const auto run = [this, &s, &pass, i, part = range.part(i)] {
        s.hidden = decoder_.layer(static_cast<std::size_t>(i), s.hidden, pass, part);
      };
      slices.push_back(streamed(layer_weights_, i, {Phase::prefill, run}));
    }
    return;
  }
  // What a step launches is the same until the unit ends, on the same memory but for the hidden state.
  const std::string key = "the steps of session " + std::to_string(s.number);
  if (s.pass >= kStepsBeforeGraph && graphs_.wants(key)) {
    const auto body = [this, &s, range](const std::vector<at::Tensor>& in) {
      at::Tensor hidden = in[0];
      for (int i = range.first; i < range.last; ++i) {
        hidden = decoder_.step_layer(static_cast<std::size_t>(i), hidden, s.step, range.part(i));
      }
      return hidden;
    };
    slices.push_back({Phase::decode, [this, &s, key, body] { s.hidden = graphs_.run(key, {s.hidden}, body); }});
    return;
  }
  for (int first = range.first; first < range.last; first += kStepLayersPerSlice) {
    const int last = std::min(first + kStepLayersPerSlice, range.last);
    slices.push_back({Phase::decode, [this, &s, first, last, range] {
                        for (int i = first; i < last; ++i) {
                          layer_weights_.visit(i, [&] {
                            s.hidden =
                                decoder_.step_layer(static_cast<std::size_t>(i), s.hidden, s.step, range.part(i));
                          });
                        }
                      }});
  }
}

at::Tensor Qwen25Vl::logits_of(const at::Tensor& hidden) const {
  const at::Tensor& head = config_.tied_head ? decoder_.embeddings() : head_;
  return kernels::few_rows_linear(decoder_.final_norm(hidden), head).to(at::kFloat);
}

void Qwen25Vl::leave(Session& session, int half, Slices& slices) {
  TextSession& s = cast(session);
  if (s.pass > 0) {
    slices.push_back({Phase::decode, [this, &s] { s.logits = logits_of(s.hidden); }});
    return;
  }
  slices.push_back({Phase::prefill, [this, &s, &row = s.rows[static_cast<std::size_t>(half)]] {
                      row.first_logits = logits_of(s.hidden.narrow(0, s.hidden.size(0) - 1, 1));
                      s.hidden.reset();
                      for (std::size_t i = 0; i < s.side.size(); ++i) row.pictures[i].pixel_values = s.side[i];
                      row.pass = {};
                      row.ids.reset();
                    }});
}

/// Of all rows' prompts; those of each row stay where they are a result.
at::Tensor Qwen25Vl::first_logits(TextSession& s) const {
  std::vector<at::Tensor> all;
  for (Row& row : s.rows) all.push_back(tensors_ ? row.first_logits : std::exchange(row.first_logits, {}));
  return all.size() == 1 ? all[0] : at::cat(all);
}

void Qwen25Vl::advance(Session& session, Slices& slices) {
  TextSession& s = cast(session);
  slices.push_back({s.pass == 0 ? Phase::prefill : Phase::decode, [this, &s] {
                      if (s.pass == 0) s.logits = first_logits(s);
                      s.take_tokens();
                    }});
}

/// What the tables of the first stage are good for stays until the unit ends: other streams may have made it.
void Qwen25Vl::follow(Session& session, Slices& slices) {
  TextSession& s = cast(session);
  slices.push_back({s.pass == 0 ? Phase::prefill : Phase::decode, [&s] { s.end_pass(); }});
}

Crossing Qwen25Vl::crossing(const Session& session, int half) const {
  const auto& s = static_cast<const TextSession&>(session);
  Crossing crossing;
  crossing.state = {at::kLong, {s.row_count()}};
  crossing.hidden = {dtype_, {s.row_count(), config_.text.hidden}};
  if (s.pass > 0) return crossing;
  const Row& row = s.rows[static_cast<std::size_t>(half)];
  crossing.hidden.sizes[0] = static_cast<std::int64_t>(row.prompt.ids.size());
  if (!tensors_) return crossing;
  const PatchConfig& patches = pictures_.patches();
  for (const Picture& picture : row.pictures) {
    crossing.side.push_back({at::kFloat,
                             {picture.grid.tokens() * patches.merge * patches.merge,
                              3 * patches.temporal * patches.patch * patches.patch}});
  }
  return crossing;
}

std::string Qwen25Vl::note(const Session& session) const {
  return encode_rows(static_cast<const TextSession&>(session).rows);
}

std::unique_ptr<Session> Qwen25Vl::begin_later(const Unit& unit, const std::string& note, Slices& slices) {
  auto session = std::make_unique<TextSession>(unit, ++sessions_);
  TextSession& s = *session;
  decode_rows(note, s.rows);
  for (const Item& item : unit.items) s.passes = std::max(s.passes, item.max_new_tokens);
  s.halves = static_cast<int>(unit.items.size());
  for (std::size_t i = 0; i < s.rows.size(); ++i) {
    slices.push_back({Phase::prefill, [this, &s, i] { read_prompt(s, i); }});
  }
  slices.push_back({Phase::prefill, [this, &s] { prepare_steps(s); }});
  return session;
}

void Qwen25Vl::finish(Session& session, Slices& slices, std::vector<Result>& results) {
  TextSession& s = cast(session);
  slices.push_back({Phase::decode, [this, &s, &results] {
                      const at::Tensor written = s.written.narrow(0, 0, s.pass);
                      const at::Tensor host = download(written);
                      for (std::size_t i = 0; i < s.rows.size(); ++i) {
                        Result& result = results.emplace_back();
                        result.id = s.unit.items[i].id;
                        if (tensors_) add_tensors(result, s.rows[i], pictures_.patches(), device_);
                        result.complete = AnswerReader{
                            .written = host,
                            .row = static_cast<std::int64_t>(i),
                            .most = s.unit.items[i].max_new_tokens,
                            .prompt_tokens = static_cast<std::int64_t>(s.rows[i].prompt.ids.size()),
                            .end_tokens = config_.end_tokens,
                            .tokenizer = tokenizer_,
                            .device = device_,
                            .wants_tensor = tensors_,
                        };
                      }
                    }});
}

}  // namespace

std::unique_ptr<Model> make_qwen2_5_vl(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted) {
  return std::make_unique<Qwen25Vl>(settings, files, wanted);
}

}  // namespace trireme::qwen2_5_vl
