#pragma once
// The doctor's findings as people paste them into reports, and as JSON.

#include <string>
#include <vector>

#include "worker/doctor/findings.h"
#include "worker/doctor/link_check.h"
#include "worker/doctor/rank_facts.h"

namespace trireme::doctor {

struct Report {
  std::vector<RankFacts> ranks;
  std::string carrier;  // what the links were tried over; empty: not tried
  LinkReport links;
  std::vector<std::string> checked;  // further lines: the folder, the checkpoint
  std::vector<Finding> findings;
};

std::string to_text(const Report& report);
std::string to_json(const Report& report);

}  // namespace trireme::doctor
