#include "common/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <memory>

#include "common/errors.h"

namespace trireme::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::shared_ptr<spdlog::logger> make(int rank, const std::string& file, Level file_level, Level stderr_level) {
  auto to_stderr = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  to_stderr->set_level(to_spdlog(stderr_level));
  to_stderr->set_pattern(rank < 0 ? "trireme: %v" : "rank " + std::to_string(rank) + ": %v");
  auto logger = std::make_shared<spdlog::logger>("trireme", to_stderr);
  if (!file.empty()) {
    try {
      auto to_file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
      to_file->set_level(to_spdlog(file_level));
      to_file->set_formatter(
          std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
      logger->sinks().push_back(to_file);
    } catch (const spdlog::spdlog_ex& e) {
      throw Error(ExitCode::cannot_create, "can't open the log file " + file + ": " + e.what());
    }
  }
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::warn);
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger>& instance = *new std::shared_ptr<spdlog::logger>(
      make(-1, "", Level::info, Level::info));  // never destroyed: threads may log last
  return instance;
}

void append_value(std::string& line, std::string_view value) {
  bool plain = !value.empty();
  for (unsigned char c : value) plain = plain && c > ' ' && c != '"' && c != 0x7f && c != '=';
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += static_cast<char>(c);
    } else if (c < ' ' || c == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      line += "\\x";
      line += kHex[c >> 4];
      line += kHex[c & 15];
    } else {
      line += static_cast<char>(c);
    }
  }
  line += '"';
}

void write(Level level, std::string_view phrase, Fields fields) {
  logger()->log(to_spdlog(level), "{}", format(phrase, fields));
}

}  // namespace

Field::Field(std::string_view k, double v) : key(k) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::general, 6).ptr;
  value.assign(buffer, end);
}

void open(int rank, const std::string& file, Level file_level, Level stderr_level) {
  logger() = make(rank, file, file_level, stderr_level);
}
void flush() { logger()->flush(); }

std::string format(std::string_view phrase, Fields fields) {
  std::string line(phrase);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

void debug(std::string_view phrase, Fields fields) { write(Level::debug, phrase, fields); }
void info(std::string_view phrase, Fields fields) { write(Level::info, phrase, fields); }
void warning(std::string_view phrase, Fields fields) { write(Level::warning, phrase, fields); }
void error(std::string_view phrase, Fields fields) { write(Level::error, phrase, fields); }

}  // namespace trireme::log
