#pragma once
// RFC 4648, with padding: how data: URIs hold bytes.

#include <string>
#include <string_view>

namespace trireme::report {

std::string base64(std::string_view bytes);

}  // namespace trireme::report
