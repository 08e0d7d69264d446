#include "common/summary.h"

#include <algorithm>

#include "common/print.h"

namespace trireme {
namespace {

template <class Value>
Spread spread(const std::vector<RankSummary>& ranks, Value value) {
  Spread result{value(ranks.front()), 0, value(ranks.front())};
  for (const RankSummary& rank : ranks) {
    result.min = std::min(result.min, value(rank));
    result.max = std::max(result.max, value(rank));
    result.average += value(rank) / static_cast<double>(ranks.size());
  }
  return result;
}

template <class Value>
std::uint64_t sum(const std::vector<RankSummary>& ranks, Value value) {
  std::uint64_t total = 0;
  for (const RankSummary& rank : ranks) total += value(rank);
  return total;
}

std::string percents(const RingLoss& loss) {
  return print("fill %.1f %% + imbalance %.1f %% + transfer %.1f %% = %.1f %%", 100 * loss.fill, 100 * loss.imbalance,
               100 * loss.transfer, 100 * loss.sum());
}

std::string row(const char* name, const Spread& spread) {
  return print("  %-10s %12.3f %12.3f %12.3f\n", name, spread.min, spread.average, spread.max);
}

std::string bound_line(const Summary& summary) {
  if (summary.lower_bound_seconds <= 0) return "";
  return print("# lower bound %.3f s (the same work spread evenly over %d replicas): this job took %.3f of it\n",
               summary.lower_bound_seconds, summary.replicas, summary.over_lower_bound());
}

std::string energy_line(const Summary& summary) {
  if (!summary.energy_joules || summary.made() == 0) return "";
  return print("# energy of %d GPUs: %.0f J, %.1f J %s\n", summary.energy_gpus, *summary.energy_joules,
               summary.joules_per_item(), summary.text ? "a request" : "an image");
}

}  // namespace

double RankSummary::seconds_alone(RankPhase phase) const {
  const auto of = [this](RankPhase which) { return seconds[static_cast<std::size_t>(which)]; };
  const double beside = of(RankPhase::encode) + of(RankPhase::decode);
  const double rest = busy_seconds - of(RankPhase::prefill) - of(RankPhase::denoise);
  const bool may_overlap = phase == RankPhase::encode || phase == RankPhase::decode;
  const bool overlaps = of(RankPhase::denoise) > 0 && busy_seconds > 0 && beside > rest;
  return may_overlap && overlaps ? of(phase) * std::max(0.0, rest) / beside : of(phase);
}

std::uint64_t Summary::made() const {
  return sum(ranks, [](const RankSummary& rank) { return rank.items; });
}

std::uint64_t Summary::tokens() const {
  return sum(ranks, [](const RankSummary& rank) { return rank.tokens; });
}

double Summary::tokens_per_second() const { return seconds > 0 ? static_cast<double>(tokens()) / seconds : 0; }

double Summary::items_per_second() const { return seconds > 0 ? static_cast<double>(made()) / seconds : 0; }

double Summary::balance() const {
  const Spread busy = spread(ranks, [](const RankSummary& rank) { return rank.busy_seconds; });
  return busy.max > 0 ? busy.average / busy.max : 1;
}

double Summary::over_lower_bound() const { return lower_bound_seconds > 0 ? seconds / lower_bound_seconds : 0; }

double Summary::joules_per_item() const {
  return energy_joules && made() > 0 ? *energy_joules / static_cast<double>(made()) : 0;
}

Spread spread_of(const Summary& summary, RankPhase phase) {
  return spread(summary.ranks, [&](const RankSummary& rank) { return rank.seconds[static_cast<std::size_t>(phase)]; });
}

std::string closing_table(const Summary& summary) {
  const auto& ranks = summary.ranks;
  const auto slowest_pass = std::max_element(
      ranks.begin(), ranks.end(),
      [](const RankSummary& a, const RankSummary& b) { return a.longest_pass_seconds < b.longest_pass_seconds; });
  std::string text =
      print("# %llu of %llu items done, %llu failed; this job: %llu items in %.2f s on %zu ranks, %.3f %s/s",
            static_cast<unsigned long long>(summary.done), static_cast<unsigned long long>(summary.total),
            static_cast<unsigned long long>(summary.failed), static_cast<unsigned long long>(summary.made()),
            summary.seconds, ranks.size(), summary.items_per_second(), summary.text ? "requests" : "images");
  text += summary.text ? print(", %.1f tokens/s\n", summary.tokens_per_second()) : "\n";
  if (summary.degraded > 0) {
    text += print("# %llu degraded: memory was short, their bits may differ\n",
                  static_cast<unsigned long long>(summary.degraded));
  }
  text += print("# %-10s %12s %12s %12s\n", "phase", "min s/rank", "avg s/rank", "max s/rank");
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) {
    const Spread seconds = spread_of(summary, static_cast<RankPhase>(i));
    if (seconds.max > 0) text += row(kRankPhases[i], seconds);
  }
  text += row("busy", spread(ranks, [](const RankSummary& rank) { return rank.busy_seconds; }));
  text += row("idle", spread(ranks, [](const RankSummary& rank) { return rank.idle_seconds; }));
  text += print("# balance %.3f (mean/max busy) · longest loop pass %.1f ms on rank %d\n", summary.balance(),
                slowest_pass->longest_pass_seconds * 1e3, slowest_pass->rank);
  text += bound_line(summary);
  text += energy_line(summary);
  if (const auto& pipeline = summary.pipeline) {
    text += print("# pipeline of %d stages (layers %s): %.3f s from first entry to last decode\n", pipeline->stages,
                  pipeline->layers.c_str(), pipeline->seconds);
    text += "# lost, measured:  " + percents(pipeline->measured) +
            "\n# lost, predicted: " + percents(pipeline->predicted) + "\n";
  }
  text += print("# sent over %s: %.3f MB in %llu transfers · control over MPI: %.3f MB in %llu messages\n",
                summary.carrier.c_str(), static_cast<double>(sum(ranks, [](auto& r) { return r.carrier_bytes; })) / 1e6,
                static_cast<unsigned long long>(sum(ranks, [](auto& r) { return r.carrier_transfers; })),
                static_cast<double>(sum(ranks, [](auto& r) { return r.control_bytes; })) / 1e6,
                static_cast<unsigned long long>(sum(ranks, [](auto& r) { return r.control_messages; })));
  return text;
}

}  // namespace trireme
