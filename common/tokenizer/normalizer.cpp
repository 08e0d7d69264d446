#include "common/tokenizer/normalizer.h"

#include <array>
#include <vector>

#include "common/tokenizer/kind.h"
#include "common/tokenizer/nfc.h"
#include "common/tokenizer/pattern.h"
#include "common/tokenizer/precompiled.h"
#include "common/tokenizer/white_space.h"
#include "common/utf8.h"

namespace trireme {
namespace {

class Replace : public Normalizer {
 public:
  explicit Replace(const JsonObject& json)
      : pattern_(json.get_object("pattern")), content_(json.get_string("content")) {
    json.refuse_unknown({"type", "pattern", "content"});
  }
  std::string normalize(std::string_view text) const override { return pattern_.replace_all(text, content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const JsonObject& json) : prefix_(json.get_string("prepend")) {
    json.refuse_unknown({"type", "prepend"});
  }
  std::string normalize(std::string_view text) const override {
    return text.empty() ? std::string() : prefix_ + std::string(text);
  }

 private:
  std::string prefix_;
};

/// Without the blanks at its ends.
class Strip : public Normalizer {
 public:
  explicit Strip(const JsonObject& json) : left_(json.get_bool("strip_left")), right_(json.get_bool("strip_right")) {
    json.refuse_unknown({"type", "strip_left", "strip_right"});
  }
  std::string normalize(std::string_view text) const override {
    if (left_) text.remove_prefix(skip_white_space(text, 0));
    if (right_) text = text.substr(0, skip_white_space_back(text, text.size(), 0));
    return std::string(text);
  }

 private:
  bool left_, right_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(const JsonObject& json) {
    json.refuse_unknown({"type", "normalizers"});
    const nlohmann::json& list = json.at("normalizers");
    if (!list.is_array()) json.fail("normalizers", "not a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string place = json.place() + ": normalizers[" + std::to_string(i) + "]";
      parts_.push_back(make_normalizer(JsonObject(list[i], place)));
    }
  }
  std::string normalize(std::string_view text) const override {
    std::string result(text);
    for (const auto& part : parts_) result = part->normalize(result);
    return result;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

template <class Part>
std::unique_ptr<Normalizer> make(const JsonObject& json) {
  return std::make_unique<Part>(json);
}

constexpr std::array kKinds{
    Kind<Normalizer>{"Sequence", make<Sequence>}, Kind<Normalizer>{"NFC", make<Nfc>},
    Kind<Normalizer>{"Replace", make<Replace>},   Kind<Normalizer>{"Prepend", make<Prepend>},
    Kind<Normalizer>{"Strip", make<Strip>},       Kind<Normalizer>{"Precompiled", make<Precompiled>},
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
