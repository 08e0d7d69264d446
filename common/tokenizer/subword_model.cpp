#include "common/tokenizer/subword_model.h"

#include <array>

#include "common/tokenizer/bpe.h"
#include "common/tokenizer/kind.h"

namespace trireme {
namespace {

constexpr std::array kKinds{
    Kind<SubwordModel>{
        "BPE",
        [](const JsonObject& json) -> std::unique_ptr<SubwordModel> { return std::make_unique<BytePairModel>(json); }},
};

}  // namespace

std::unique_ptr<SubwordModel> make_subword_model(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
