#pragma once
// Text to token ids and back, exactly as Hugging Face `tokenizers` does with the same tokenizer.json. The file names a
// kind of normaliser, pre-tokeniser, model, post-processor and decoder; each is chosen from an explicit list, and a
// kind that is not in its list is refused by name. Immutable after loading: any thread may use it. Thrown:
// Error(input_missing) for a file that can't be read, Error(bad_data) for its contents.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

class Tokenizer {
 public:
  static Tokenizer load(const std::filesystem::path& tokenizer_json);
  /// `source` names the text in errors.
  static Tokenizer parse(std::string_view json, const std::string& source);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of the text alone: no template, BOS or EOS. Strings of added tokens act as those tokens. Throws ItemError when
  /// the text is not valid UTF-8.
  std::vector<int> encode(std::string_view utf8) const;
  /// The text inside what the file's post-processor puts around it (BOS, EOS), as a model that was trained so wants it.
  /// At most `max_tokens` with these: the tail of a longer text is lost.
  std::vector<int> encode_templated(std::string_view utf8, std::size_t max_tokens) const;

  /// Bytes that are not valid UTF-8 become U+FFFD; ids that no token has are skipped. `skip_special` leaves out added
  /// tokens marked special; other added tokens stay.
  std::string decode(std::span<const int> ids, bool skip_special) const;

  std::optional<int> id(std::string_view token) const;  // as written in the file
  std::size_t vocab_size() const;                       // with added tokens

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace trireme
