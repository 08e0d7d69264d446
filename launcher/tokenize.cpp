#include "launcher/tokenize.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 31;

std::string tokenize_json(const Tokenizer& tokenizer, std::string_view line, const std::string& source,
                          std::size_t number) {
  const nlohmann::json value = parse_json(line, source, number);
  const JsonObject object(value, source + ":" + std::to_string(number));
  const nlohmann::json& id = object.at("id");
  if (!id.is_string() && !id.is_number_integer()) object.fail("id", "neither a string nor an integer");
  const std::vector<int> ids = tokenizer.encode(object.get_string("text"));
  const nlohmann::ordered_json result{{"id", id}, {"ids", ids}, {"decoded", tokenizer.decode(ids, false)}};
  return result.dump(-1, ' ', true);
}

std::string tokenize_line(const Tokenizer& tokenizer, std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string result;
  for (const int id : tokenizer.encode(line)) result += (result.empty() ? "" : " ") + std::to_string(id);
  return result;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

}  // namespace

fs::path find_tokenizer(const fs::path& model, const std::string& component) {
  std::error_code ignored;
  std::vector<fs::path> places{model / component / "tokenizer.json"};
  if (component.empty()) places = {model / "tokenizer.json", model / "tokenizer" / "tokenizer.json"};
  for (const fs::path& place : places) {
    if (fs::exists(place, ignored)) return place;
  }
  throw Error(ExitCode::input_missing, places.front().string() + ": no such file" +
                                           (component.empty() ? ", and none in tokenizer/ beside it" : ""));
}

void tokenize_file(const Tokenizer& tokenizer, const fs::path& file, std::ostream& out) {
  const std::string bytes = read_file(file, kMaxFileBytes);
  const bool json_lines = file.extension() == ".jsonl";
  std::string_view rest = skip_bom(bytes);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (json_lines && is_blank(line)) continue;
    try {
      out << (json_lines ? tokenize_json(tokenizer, line, file.string(), number) : tokenize_line(tokenizer, line))
          << '\n';
    } catch (const ItemError& error) {
      throw Error(ExitCode::bad_data, file.string() + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (!out.flush()) throw Error(ExitCode::io_error, "can't write the results; is the disk full?");
}

void add_tokenize(CLI::App& app) {
  struct Options {
    std::string model, file, component;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("tokenize", "token ids of texts, and the text they decode to");
  command->add_option("model", options->model, "folder with tokenizer.json in it or in tokenizer/")->required();
  command->add_option("file", options->file, R"(.jsonl with {"id", "text"} a line, or plain text)")->required();
  command->add_option("--component", options->component, "folder in MODEL whose tokenizer.json is meant");
  command->callback([options] {
    const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(options->model, options->component));
    tokenize_file(tokenizer, options->file, std::cout);
  });
}

}  // namespace trireme
