#pragma once
// What is wrong with a launch, from the facts of its ranks: a pure function, so that every mistake has a test without
// the machine it happens on.

#include <string>
#include <vector>

#include "worker/doctor/link_check.h"
#include "worker/doctor/rank_facts.h"

namespace trireme::doctor {

enum class Severity { note, warning, error };  // error: a job started like this would end

struct Finding {
  Severity severity = Severity::note;
  std::string fact;
  std::string remedy;  // what to change
};

/// `ranks` in order of rank.
std::vector<Finding> examine(const std::vector<RankFacts>& ranks);
/// Of measured links: ranks far slower than the others of their kind.
std::vector<Finding> examine(const std::vector<RankFacts>& ranks, const std::vector<LinkSpeed>& links);

const char* name(Severity severity);

}  // namespace trireme::doctor
