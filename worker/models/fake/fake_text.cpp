#include "worker/models/fake/fake_text.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/errors.h"
#include "worker/models/fake/directives.h"
#include "worker/models/list.h"
#include "worker/vision/picture.h"

namespace trireme {
namespace {

constexpr int kLayers = 4;
constexpr std::uint64_t kVocabulary = 1000;
constexpr std::int64_t kEnd = static_cast<std::int64_t>(kVocabulary);  // of an answer

std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  state = (state ^ value) * 0x9e3779b97f4a7c15u;
  return state ^ (state >> 29);
}

std::string all_words(const Item& item) {
  std::string words;
  for (const ChatMessage& message : item.messages) {
    for (const ContentPart& part : message.content) words += part.text + " ";
  }
  return words;
}

/// One request of the batch.
struct Row {
  explicit Row(const Item& i) : item(i), words(all_words(i)), directives(words), state(mix(1, i.seed)) {
    for (const char letter : words) input_ids.push_back(static_cast<unsigned char>(letter));
    length = directives.length > 0 ? std::min(directives.length + 1, i.max_new_tokens) : i.max_new_tokens;
  }
  bool ended() const { return static_cast<int>(result.token_ids.size()) == length; }
  bool by_itself() const { return directives.length > 0 && directives.length < item.max_new_tokens; }

  const Item& item;
  std::string words;
  Directives directives;
  std::uint64_t state;  // what the next token depends on
  int length = 0;       // tokens to write, with the end
  std::vector<std::int64_t> input_ids;
  std::vector<at::Tensor> pictures;
  TextResult result;
};

class FakeTextSession final : public Session {
 public:
  explicit FakeTextSession(const Unit& u) : Session(u) {
    for (const Item& item : unit.items) rows.emplace_back(item);
    for (const Row& row : rows) passes = std::max(passes, row.length);
  }
  bool done() const override {
    return std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.ended(); });
  }
  std::uint64_t tokens() const override {
    std::uint64_t sum = 0;
    for (const Row& row : rows) sum += row.result.token_ids.size();
    return sum;
  }
  Phase phase() const { return pass == 0 ? Phase::prefill : Phase::decode; }

  std::vector<Row> rows;
};

class FakeTextModel final : public Model {
 public:
  explicit FakeTextModel(bool tensors) : tensors_(tensors) {}

  at::Device device() const override { return at::kCPU; }
  int layer_count() const override { return kLayers; }

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override {
    auto session = std::make_unique<FakeTextSession>(unit);
    for (std::size_t i = 0; i < session->rows.size(); ++i) {
      if (session->rows[i].directives.fail) throw ItemError("the prompt asks to fail", i);
      slices.push_back({Phase::encode, [&s = *session, i] { look_at_pictures(s.rows[i], i); }});
    }
    return session;
  }

  void enter(Session&, int, Slices&) override {}

  void layers(Session& session, int, Layers range, Slices& slices) override {
    FakeTextSession& s = cast(session);
    for (int layer = range.first; layer < range.last; ++layer) {
      slices.push_back({s.phase(), [this, &s] {
                          for (const Row& row : s.rows) {
                            ShortMemory::refuse_if(s.rows.size() > row.directives.oom_above);
                            memory_.refuse(row.item.id, row.directives.oom);
                            row.directives.act(row.item.id, 1.0 / (s.passes * kLayers));
                          }
                        }});
    }
  }

  void leave(Session&, int, Slices&) override {}

  void advance(Session& session, Slices& slices) override {
    FakeTextSession& s = cast(session);
    slices.push_back({s.phase(), [&s] {
                        for (Row& row : s.rows) write_token(row);
                        ++s.pass;
                      }});
  }

  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    slices.push_back({Phase::decode, [this, &s = cast(session), &results] {
                        for (Row& row : s.rows) results.push_back(result_of(row));
                      }});
  }

 private:
  static FakeTextSession& cast(Session& session) { return static_cast<FakeTextSession&>(session); }

  static void look_at_pictures(Row& row, std::size_t place) try {
    for (const char letter : row.words) row.state = mix(row.state, static_cast<unsigned char>(letter));
    for (const ImageFile& image : row.item.images) {
      row.pictures.push_back(decode_picture(image.data, image.name));
      row.state = mix(row.state, static_cast<std::uint64_t>(row.pictures.back().sum().item<std::int64_t>()));
    }
  } catch (const ItemError& e) {
    throw ItemError(e.what(), place);
  }

  static void write_token(Row& row) {
    if (row.ended()) return;
    const bool last = static_cast<int>(row.result.token_ids.size()) + 1 == row.length;
    if (last && row.by_itself()) {
      row.result.token_ids.push_back(kEnd);
      return;
    }
    row.state = mix(row.state, row.result.token_ids.size());
    const auto token = static_cast<std::int64_t>(row.state % kVocabulary);
    row.result.text += (row.result.text.empty() ? "w" : " w") + std::to_string(token);
    row.result.token_ids.push_back(token);
  }

  Result result_of(Row& row) const {
    Result result;
    result.id = row.item.id;
    row.result.finish_reason = row.by_itself() ? FinishReason::stop : FinishReason::length;
    row.result.prompt_tokens = static_cast<std::int64_t>(row.input_ids.size());
    result.text = row.result;
    if (tensors_) {
      result.tensors["input_ids"] = at::tensor(row.input_ids, at::kLong);
      result.tensors["token_ids"] = at::tensor(row.result.token_ids, at::kLong);
      for (std::size_t i = 0; i < row.pictures.size(); ++i) {
        result.tensors["pixels_" + std::to_string(i)] = row.pictures[i].to(at::kFloat).contiguous();
      }
    }
    return result;
  }

  const bool tensors_;
  ShortMemory memory_;
};

}  // namespace

std::unique_ptr<Model> make_fake_text_model(const ModelSettings& settings) {
  return std::make_unique<FakeTextModel>(settings.job.output.tensors);
}

}  // namespace trireme
