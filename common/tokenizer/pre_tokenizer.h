#pragma once
// Cuts a text into the pieces that the vocabulary model sees one by one.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"

namespace trireme {

/// A text and where its pieces end; no piece is empty.
struct Pieces {
  std::string text;
  std::vector<std::size_t> ends;  // bytes, rising; the last is text.size()

  /// Calls visit(std::string_view) for every piece in order.
  template <class Visit>
  void for_each(const Visit& visit) const {
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      visit(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
  }
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual Pieces cut(Pieces pieces) const = 0;
};

/// Throws Error(bad_data) for a kind, or an option of one, that is not supported.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonObject& json);

}  // namespace trireme
