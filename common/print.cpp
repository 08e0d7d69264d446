#include "common/print.h"

#include <cstdarg>
#include <cstdio>

#include "common/errors.h"

namespace trireme {

std::string print(const char* format, ...) {
  std::va_list values, again;
  va_start(values, format);
  va_copy(again, values);
  const int length = std::vsnprintf(nullptr, 0, format, values);
  va_end(values);
  std::string text(length < 0 ? 0 : static_cast<std::size_t>(length), '\0');
  if (length > 0) std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  if (length < 0) throw Error(ExitCode::internal, std::string("can't print by the format ") + format);
  return text;
}

}  // namespace trireme
