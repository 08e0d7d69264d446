#include "common/conversation.h"

#include <algorithm>

#include "common/did_you_mean.h"
#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

using Kind = ContentPart::Kind;
using nlohmann::json;

constexpr std::size_t kMaxImages = 1000, kMaxMessages = 10'000;
const std::vector<std::string_view> kRoles = {"system", "user", "assistant"};

ContentPart words(std::string text) { return {Kind::text, std::move(text), 0}; }

const json& list_of(const JsonObject& object, const std::string& key, std::size_t max_count) {
  const json& list = object.at(key);
  if (!list.is_array()) object.fail(key, "must be a list");
  if (list.size() > max_count) object.fail(key, "more than " + std::to_string(max_count) + " entries");
  return list;
}

ContentPart picture(const JsonObject& object, const std::string& key, const json& name, ImageRoot& root, Item& item) {
  if (!name.is_string()) object.fail(key, "a picture is the path of a file, as a string");
  const auto& path = name.get_ref<const std::string&>();
  if (const auto why = root.why_refused(path)) object.fail(key, *why);
  if (item.images.size() == kMaxImages) object.fail(key, "more than " + std::to_string(kMaxImages) + " pictures");
  return {Kind::image, "", root.add(path, item)};
}

ContentPart read_part(const JsonObject& part, ImageRoot& root, Item& item) {
  const std::string type = part.get_string("type");
  if (type == "text") {
    part.refuse_unknown({"type", "text"});
    return words(part.get_string("text"));
  }
  if (type == "image") {
    part.refuse_unknown({"type", "image"});
    return picture(part, "image", part.at("image"), root, item);
  }
  part.fail("type", "'" + printable(type, 60) + "' is not available; use text or image");
}

ChatMessage read_message(const JsonObject& given, ImageRoot& root, Item& item) {
  given.refuse_unknown({"role", "content"});
  ChatMessage message{given.get_string("role"), {}};
  if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
    given.fail("role", "'" + printable(message.role, 60) + "' is none of system, user, assistant" +
                           did_you_mean(message.role, kRoles));
  }
  if (given.at("content").is_string()) {
    message.content.push_back(words(given.get_string("content")));
    return message;
  }
  std::size_t number = 0;
  for (const json& part : list_of(given, "content", kMaxMessages)) {
    const std::string place = given.place() + ": content[" + std::to_string(number++) + "]";
    message.content.push_back(read_part(JsonObject(part, place), root, item));
  }
  return message;
}

/// A model would answer its own template.
void refuse_silence(Item& item) {
  for (const ChatMessage& message : item.messages) {
    if (message.role == "system") continue;
    for (const ContentPart& part : message.content) {
      if (part.kind == Kind::image || !part.text.empty()) return;
    }
  }
  if (item.error.empty()) item.error = "an empty prompt without pictures; there is nothing to answer";
}

void ask(ChatMessage question, Item& item) {
  if (!item.system_prompt.empty()) item.messages.push_back({"system", {words(item.system_prompt)}});
  if (!item.prompt.empty()) question.content.push_back(words(item.prompt));
  item.messages.push_back(std::move(question));
  refuse_silence(item);
}

}  // namespace

void read_conversation(const JsonObject& line, ImageRoot& root, Item& item) {
  const auto given = [&](const char* key) { return line.value().contains(key); };
  if (given("messages")) {
    for (const char* key : {"prompt", "images", "system"}) {
      if (given(key)) line.fail(key, "given beside messages; put it into them");
    }
    std::size_t number = 0;
    for (const json& message : list_of(line, "messages", kMaxMessages)) {
      const std::string place = line.place() + ": messages[" + std::to_string(number++) + "]";
      item.messages.push_back(read_message(JsonObject(message, place), root, item));
    }
    item.system_prompt.clear();
    refuse_silence(item);
    return;
  }
  if (given("prompt") || !given("images")) item.prompt = line.get_string("prompt");
  if (given("system")) item.system_prompt = line.get_string("system");
  ChatMessage question{"user", {}};
  if (given("images")) {
    for (const json& name : list_of(line, "images", kMaxImages)) {
      question.content.push_back(picture(line, "images", name, root, item));
    }
  }
  ask(std::move(question), item);
}

void plain_conversation(std::string_view prompt, Item& item) {
  item.prompt = prompt;
  ask({"user", {}}, item);
}

}  // namespace trireme
