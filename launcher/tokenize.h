#pragma once
// trireme tokenize MODEL FILE: ids of the text alone and the text they decode to, on stdout and nothing else.

#include <CLI/App.hpp>
#include <filesystem>
#include <iosfwd>
#include <string>

#include "common/tokenizer/tokenizer.h"

namespace trireme {

/// Adds the subcommand. Running it throws Error: input_missing for MODEL or FILE, bad_data with file:line.
void add_tokenize(CLI::App& app);

/// The tokenizer.json of a model folder: in it, or in tokenizer/; with a component, in the folder of that name.
std::filesystem::path find_tokenizer(const std::filesystem::path& model, const std::string& component);

/// FILE.jsonl, {"id", "text"} a line: {"id", "ids", "decoded"} a line, in ASCII. Any other file: the ids of each line.
void tokenize_file(const Tokenizer& tokenizer, const std::filesystem::path& file, std::ostream& out);

}  // namespace trireme
