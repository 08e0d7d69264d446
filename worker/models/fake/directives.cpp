#include "worker/models/fake/directives.h"

#include <c10/util/Exception.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "common/errors.h"

namespace trireme {

Directives::Directives(const std::string& prompt) {
  std::istringstream words(prompt);
  for (std::string word; words >> word;) {
    if (word.starts_with("cost=")) cost_seconds = std::atof(word.c_str() + 5);
    if (word.starts_with("length=")) length = std::atoi(word.c_str() + 7);
    if (word.starts_with("crash=")) crash_signal = std::atoi(word.c_str() + 6);
    if (word.starts_with("fail_layer=")) fail_layer = std::atoi(word.c_str() + 11);
    if (word.starts_with("oom=")) oom = std::atoi(word.c_str() + 4);
    if (word.starts_with("oom_decode=")) oom_decode = std::atoi(word.c_str() + 11);
    if (word.starts_with("oom_above=")) oom_above = static_cast<std::size_t>(std::atoi(word.c_str() + 10));
    fail = fail || word == "fail";
    throw_error = throw_error || word == "throw";
    hang = hang || word == "hang";
  }
}

void Directives::act(const std::string& id, double share) const {
  if (throw_error) throw Error(ExitCode::internal, "the prompt of item " + id + " asks for an error");
  if (crash_signal != 0) std::raise(crash_signal);
  while (hang) std::this_thread::sleep_for(std::chrono::seconds(1));
  std::this_thread::sleep_for(std::chrono::duration<double>(cost_seconds * share));
}

void ShortMemory::refuse_if(bool too_much) {
  TORCH_CHECK_WITH(OutOfMemoryError, !too_much, "CUDA out of memory: the prompt asks for it");
}

void ShortMemory::refuse(const std::string& what, int times) {
  if (times > 0) refuse_if(refused_[what]++ < times);
}

}  // namespace trireme
