#pragma once
// A report as Markdown for pasting: the same sections without pictures and figures.

#include <string>
#include <string_view>

#include "launcher/report/document.h"

namespace trireme::report {

/// One line: newlines become blanks, what Markdown or HTML would read as more than text is escaped.
std::string markdown_escaped(std::string_view text);

std::string to_markdown(const Document& document);

}  // namespace trireme::report
