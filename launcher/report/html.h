#pragma once
// A report as one HTML page that needs nothing else: styles and pictures are inside, there are no scripts.

#include <string>
#include <string_view>

#include "launcher/report/document.h"

namespace trireme::report {

/// For text and attribute values. Invalid UTF-8 and control characters become U+FFFD; newlines stay.
std::string escaped(std::string_view text);

std::string to_html(const Document& document);

}  // namespace trireme::report
