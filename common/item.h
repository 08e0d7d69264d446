#pragma once
// What a user asks for (an item) and what is sent, redone and journalled (a unit). Plain data, the same on every rank.

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

/// A piece of a message: words, or one of the item's pictures.
struct ContentPart {
  enum class Kind : std::uint8_t { text, image } kind = Kind::text;
  std::string text;         // valid UTF-8, may hold NUL
  std::uint32_t image = 0;  // index into Item::images
  bool operator==(const ContentPart&) const = default;
};

/// One turn of a conversation.
struct ChatMessage {
  std::string role;  // system | user | assistant
  std::vector<ContentPart> content;
  bool operator==(const ChatMessage&) const = default;
};

/// A picture file that an item names. Rank 0 reads it when the unit is handed out, and its bytes travel along.
struct ImageFile {
  std::string name;                     // as the input writes it, for messages
  std::string path;                     // rank 0 only: the file, symbolic links resolved
  std::string sha256;                   // of the file when the input was read
  std::uint64_t bytes = 0;              // of the file then
  std::string data;                     // the file as it is; empty until the unit is handed out
  std::uint32_t width = 0, height = 0;  // rank 0 only: pixels, as the file's first bytes say; 0: they don't
  bool operator==(const ImageFile&) const = default;
};

/// One result wanted. All values are final: defaults of the job file and of the checkpoint are filled in, and the bits
/// of the result depend on nothing but these values, the model and the numeric settings.
struct Item {
  std::string id;           // a safe file name, unique in the input
  std::uint64_t index = 0;  // place in the input, from 0: the order of results.jsonl
  std::string prompt;       // valid UTF-8, may hold NUL; of text items what the line says, used through `messages`
  std::string negative_prompt;
  std::uint64_t seed = 0;

  // Families that make pictures.
  int width = 0, height = 0;       // pixels
  int steps = 0;                   // forwards of the transformer
  double guidance = 0;             // 0 = off
  double cfg_truncation = 1;       // guidance is off at model times above this
  double cfg_normalization = 0;    // largest ratio of the norms of guided and positive prediction; 0 = off
  double shift = 1;                // of the flow-match schedule
  std::string sampler = "euler";   // euler | midpoint
  std::string system_prompt = "";  // put before the prompt, by families that do so

  // Families that write text.
  std::vector<ChatMessage> messages;  // at least one, unless `error` says why not
  std::vector<ImageFile> images;
  int max_new_tokens = 0;
  double temperature = 0;  // 0 = greedy
  int top_k = 0;           // 0 = all
  double top_p = 1;
  double repetition_penalty = 1;

  std::string error;  // not empty: why the item can't be made, found before any model saw it

  bool operator==(const Item&) const = default;
};

/// One item, or a batch formed from the whole input before dispatch; never split or merged afterwards.
struct Unit {
  std::uint64_t index = 0;  // place in the list of all units of the input
  std::vector<Item> items;
  int attempt = 1;  // counts from 1
};

}  // namespace trireme
