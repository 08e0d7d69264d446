#include "common/journal_lines.h"

#include <fstream>
#include <limits>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "trireme journal 1";
constexpr int kMaxInt = std::numeric_limits<int>::max();

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

void add_file(Json& json, const FileRecord& record) {
  json["file"] = record.file;
  json["sha256"] = record.sha256;
  json["bytes"] = record.bytes;
}

void add_text(Json& json, const TextResult& text) {
  json["text"] = text.text;
  json["token_ids"] = text.token_ids;
  json["finish_reason"] = kFinishReasons[static_cast<int>(text.finish_reason)];
  json["prompt_tokens"] = text.prompt_tokens;
  json["first_token_seconds"] = text.first_token_seconds;
  json["decode_seconds"] = text.decode_seconds;
  json["tokens_per_second"] = tokens_per_second(text);
}

FileRecord file_of(const JsonObject& json) {
  return {json.get_string("file"), json.get_string("sha256"), json.get_uint64("bytes")};
}

Json json_of(const StartLine& line) {
  return {{"type", "start"},     {"launch", line.launch},
          {"world", line.world}, {"ranks_per_replica", line.ranks_per_replica},
          {"items", line.items}, {"facts", line.facts}};
}
Json json_of(const SentLine& line) {
  return {{"type", "sent"},          {"unit", line.unit},       {"ids", line.ids},
          {"attempt", line.attempt}, {"replica", line.replica}, {"alone", line.alone}};
}
Json json_of(const ReturnedLine& line) { return {{"type", "returned"}, {"unit", line.unit}}; }
Json json_of(const ItemRecord& line) {
  Json json;
  json["type"] = "item";
  json.update(to_json(line));
  return json;
}
Json json_of(const SuspectLine& line) {
  return {{"type", "suspect"},     {"unit", line.unit},     {"ids", line.ids},
          {"launch", line.launch}, {"blamed", line.blamed}, {"rank", line.rank}};
}
Json json_of(const EndLine& line) { return {{"type", "end"}, {"launch", line.launch}, {"code", line.code}}; }

int get_int(const JsonObject& json, const std::string& key, int min) {
  return static_cast<int>(json.get_int(key, min, kMaxInt));
}

template <class Container>
Container get(const JsonObject& json, const std::string& key) {
  try {
    return json.at(key).get<Container>();
  } catch (const nlohmann::json::exception&) {
    json.fail(key, "must hold strings only");
  }
}

StartLine parse_start(const JsonObject& json) {
  StartLine line;
  line.launch = get_int(json, "launch", 1);
  line.world = get_int(json, "world", 1);
  line.ranks_per_replica = get_int(json, "ranks_per_replica", 1);
  line.items = json.get_uint64("items");
  line.facts = get<std::map<std::string, std::string>>(json, "facts");
  return line;
}

SentLine parse_sent(const JsonObject& json) {
  return {json.get_uint64("unit"), get<std::vector<std::string>>(json, "ids"), get_int(json, "attempt", 1),
          get_int(json, "replica", 0), json.get_bool("alone")};
}

TextResult parse_text(const JsonObject& json) {
  constexpr double kMaxSeconds = std::numeric_limits<double>::max();
  TextResult text;
  text.text = json.get_string("text");
  text.token_ids = json.get_ints("token_ids", 0, kMaxInt, kMaxInt);
  const std::string reason = json.get_string("finish_reason");
  if (reason != kFinishReasons[0] && reason != kFinishReasons[1]) json.fail("finish_reason", "must be stop or length");
  text.finish_reason = reason == kFinishReasons[0] ? FinishReason::stop : FinishReason::length;
  text.prompt_tokens = json.get_int("prompt_tokens", 0, kMaxInt);
  text.first_token_seconds = json.get_double("first_token_seconds", 0, kMaxSeconds);
  text.decode_seconds = json.get_double("decode_seconds", 0, kMaxSeconds);
  return text;
}

ItemRecord parse_item(const JsonObject& json) {
  ItemRecord item;
  item.id = json.get_string("id");
  const std::string status = json.get_string("status");
  if (status != "ok" && status != "failed") json.fail("status", "must be ok or failed");
  item.ok = status == "ok";
  if (json.has("file")) item.picture = file_of(json);
  if (json.has("tensors")) item.tensors = file_of(json.get_object("tensors"));
  if (json.has("text")) item.text = parse_text(json);
  item.seed = json.get_uint64("seed");
  item.width = static_cast<int>(json.get_int_or("width", 0, 0, kMaxInt));
  item.height = static_cast<int>(json.get_int_or("height", 0, 0, kMaxInt));
  item.seconds = json.get_double("seconds", 0, std::numeric_limits<double>::max());
  item.finished_seconds = json.get_double_or("finished_seconds", 0, 0, std::numeric_limits<double>::max());
  item.replica = get_int(json, "replica", -1);
  item.attempt = get_int(json, "attempt", 1);
  item.error = json.get_string_or("error", "");
  item.degraded = json.get_bool_or("degraded", false);
  return item;
}

JournalLine parse_line(const std::string& text, const std::string& file, std::size_t number) {
  const nlohmann::json value = parse_json(text, file, number);
  const JsonObject json(value, file + ":" + std::to_string(number));
  const std::string type = json.get_string("type");
  if (type == "start") return parse_start(json);
  if (type == "sent") return parse_sent(json);
  if (type == "returned") return ReturnedLine{json.get_uint64("unit")};
  if (type == "item") return parse_item(json);
  if (type == "suspect") {
    return SuspectLine{json.get_uint64("unit"), get<std::vector<std::string>>(json, "ids"), get_int(json, "launch", 1),
                       json.get_bool("blamed"), get_int(json, "rank", -1)};
  }
  if (type == "end") return EndLine{get_int(json, "launch", 1), get_int(json, "code", 0)};
  json.fail("type", "unknown kind of line \"" + type + "\"");
}

std::string parse_header(const std::string& text, const std::string& file) {
  const nlohmann::json value = parse_json(text, file);
  const JsonObject json(value, file + ":1");
  if (json.get_string("format") != kFormat) json.fail("format", std::string("is not \"") + kFormat + "\"");
  return json.get_string("run_id");
}

}  // namespace

std::string to_text(const JournalLine& line) {
  return dump(std::visit([](const auto& kind) { return json_of(kind); }, line));
}

std::string header_text(const std::string& run_id) {
  Json json;
  json["format"] = kFormat;
  json["run_id"] = run_id;
  return dump(json);
}

nlohmann::ordered_json to_json(const ItemRecord& item) {
  Json json;
  json["id"] = item.id;
  json["status"] = item.ok ? "ok" : "failed";
  if (!item.picture.file.empty()) add_file(json, item.picture);
  if (!item.tensors.file.empty()) add_file(json["tensors"], item.tensors);
  if (item.text) add_text(json, *item.text);
  json["seed"] = item.seed;
  if (item.width > 0) json["width"] = item.width;
  if (item.height > 0) json["height"] = item.height;
  json["seconds"] = item.seconds;
  if (item.finished_seconds > 0) json["finished_seconds"] = item.finished_seconds;
  json["replica"] = item.replica;
  json["attempt"] = item.attempt;
  if (!item.error.empty()) json["error"] = item.error;
  if (item.degraded) json["degraded"] = true;
  return json;
}

JournalFile read_journal(const std::filesystem::path& file, const std::function<void(const JournalLine&)>& visit) {
  open_for_reading(file);  // for its message
  std::ifstream in(file, std::ios::binary);
  JournalFile journal;
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    journal.torn = true;
    if (in.eof()) break;  // no newline: cut off
    try {
      if (number == 1) {
        journal.run_id = parse_header(text, file.string());
      } else {
        visit(parse_line(text, file.string(), number));
      }
    } catch (const Error& e) {
      if (number == 1) {
        throw ConfigError(std::string(e.what()) +
                          "; it is no journal of this program, choose another output.directory");
      }
      if (in.peek() == std::ifstream::traits_type::eof()) break;
      if (journal.damaged++ == 0) journal.first_damage = e.what();
    }
    journal.bytes += text.size() + 1;
    journal.torn = false;
  }
  if (in.bad()) throw Error(ExitCode::io_error, "can't read " + file.string() + "; check the file system");
  return journal;
}

}  // namespace trireme
