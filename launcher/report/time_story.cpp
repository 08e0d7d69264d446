#include "launcher/report/time_story.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "launcher/report/numbers.h"
#include "launcher/report/time_account.h"

namespace trireme::report {
namespace {

constexpr double kWorthSaying = 0.05;             // of the job's time
constexpr double kSlow = 1.25;                    // times the others
constexpr double kBusyCores = 90, kIdleGpu = 90;  // per cent

struct Loss {
  double share = 0;  // of the job with its start
  std::string what, remedy;
};

Loss loss_of_start(const Summary& summary, double all) {
  const double start = start_seconds(summary);
  const std::string more = "more prompts in one job",
                    nearer = more + ", model.cache on the hosts' own disks, or model.read: per_node";
  if (summary.start_up.empty()) return {start / all, "loading the model took " + duration(start), nearer};
  const auto [step, seconds] =
      *std::max_element(summary.start_up.begin(), summary.start_up.end(), [](const auto& a, const auto& b) {
        return (a.first == kFirstResult ? 0 : a.second) < (b.first == kFirstResult ? 0 : b.second);
      });
  return {start / all,
          "from the start of the process to the first work it took " + duration(start) +
              ", the longest step of it: " + step + " (" + duration(seconds) + ")",
          step == "weights" || step == "model files" ? nearer : more};
}

/// The largest first.
std::vector<Loss> losses_of(const RunRecord& run, const Summary& summary, const TimeShares& shares) {
  const double loop = summary.seconds, all = start_seconds(summary) + loop;
  const double tail = std::min(tail_seconds(run).value_or(0), loop);
  std::vector<Loss> losses;
  losses.push_back(loss_of_start(summary, all));
  if (run.replicas() > 1 && !summary.pipeline) {
    const bool few = summary.made() < static_cast<std::uint64_t>(run.replicas());
    losses.push_back({shares.uneven * loop / all, "ranks were idle because others had more to do",
                      few ? "fewer ranks: there were fewer items than replicas"
                      : summary.policy == "predictive"
                          ? "more prompts, so that the last ones matter less, or shorter ones"
                          : "dispatch.policy: predictive, or more prompts, so that the last ones matter less"});
  }
  const double waiting = std::max(0.0, shares.waiting * loop - tail);
  losses.push_back({waiting / all, "ranks had nothing in work though none had more to do",
                    "a larger dispatch.queue_depth if items are quick; else look at the timeline for gaps"});
  losses.push_back({tail / all, "the last files were written after the last item had come home",
                    "output.write: local, fewer tensors, or a quicker file system"});
  losses.push_back({shares.other * loop / all, "ranks were busy outside the phases of the model",
                    "--trace shows between which steps; small pictures and short answers are bound by launches"});
  if (const auto& pipeline = summary.pipeline) {
    losses.push_back({pipeline->measured.sum() * loop / all,
                      "the pipeline lost " + percent(pipeline->measured.fill) + " to filling and draining, " +
                          percent(pipeline->measured.imbalance) + " to unequal stages, " +
                          percent(pipeline->measured.transfer) + " to transfers",
                      "trireme plan compares numbers of stages; more units fill a pipeline better"});
  }
  std::stable_sort(losses.begin(), losses.end(), [](const Loss& a, const Loss& b) { return a.share > b.share; });
  return losses;
}

std::string use_of_time(const RunRecord& run, const Summary& summary, const TimeShares& shares) {
  std::string text = "Of the ranks' time in the loop (" + count(summary.ranks.size(), "rank") + " for " +
                     duration(summary.seconds) + ")";
  const auto part = [&](double share, const char* name) {
    if (share >= 0.0005) text += ", " + percent(share) + " went to " + name;
  };
  part(shares.encode, run.text() ? "pictures of the prompts (encode)" : "encoding prompts");
  part(shares.prefill, "reading prompts (prefill)");
  part(shares.denoise, run.text() ? "denoising" : "denoising");
  part(shares.decode, run.text() ? "writing tokens (decode)" : "decoding pictures");
  part(shares.other, "other work of busy ranks");
  const double idle = shares.uneven + shares.waiting;
  text += "; idle: " + percent(idle);
  if (idle >= 0.0005 && summary.ranks.size() > 1) {
    text += " (" + percent(shares.uneven) + " because another rank had more work, " + percent(shares.waiting) +
            " otherwise)";
  }
  return text + ".";
}

std::string bound_sentence(const RunRecord& run, const Summary& summary) {
  if (summary.lower_bound_seconds <= 0) return "";
  std::string text = "Spread evenly over " + count(static_cast<std::uint64_t>(run.replicas()), "replica") +
                     ", the same units take " + duration(summary.lower_bound_seconds) +
                     " at least (lower bound); the loop took " + percent(summary.over_lower_bound() - 1) +
                     " more. Balance score " + fixed(summary.balance(), 3);
  if (summary.ranks.size() < 2) return text + ".";
  const auto by_busy = [](const RankSummary& a, const RankSummary& b) { return a.busy_seconds < b.busy_seconds; };
  const auto [least, most] = std::minmax_element(summary.ranks.begin(), summary.ranks.end(), by_busy);
  return text + ": rank " + std::to_string(most->rank) + " was busy longest (" + duration(most->busy_seconds) +
         "), rank " + std::to_string(least->rank) + " shortest (" + duration(least->busy_seconds) + ").";
}

std::string slowest_sentence(const RunRecord& run) {
  const std::vector<double> slowness = relative_slowness(run);
  const auto known = std::count_if(slowness.begin(), slowness.end(), [](double times) { return times > 0; });
  if (known < 2) return "";
  const auto slowest = std::max_element(slowness.begin(), slowness.end());
  if (*slowest <= kSlow) return "Over the whole job no replica was much slower than the others.";
  return "Replica " + std::to_string(slowest - slowness.begin()) + " was the slowest: its items took " +
         fixed(*slowest, 2) + " times the median of items of the same size. Look at its GPU's curves and alerts.";
}

std::string writing_sentence(const Summary& summary) {
  const double ranks = static_cast<double>(summary.ranks.size());
  const double write = ranks * spread_of(summary, RankPhase::write).average;
  const double transfer = ranks * spread_of(summary, RankPhase::transfer).average;
  if (summary.seconds <= 0 || write + transfer < 0.01 * summary.seconds) return "";
  return "Beside that, results took " + duration(transfer) + " to rank 0 and writing took its threads " +
         duration(write) + " (sums; both run while the ranks go on).";
}

std::string throttling_sentence(const RunRecord& run) {
  std::map<std::tuple<std::string, int>, std::pair<int, int>> gpus;  // held down, samples
  for (const HistorySample& sample : run.samples) {
    for (const GpuSample& gpu : sample.node.gpus) {
      auto& [held, all] = gpus[{sample.node.host, gpu.index}];
      ++all;
      held += std::any_of(gpu.throttled.begin(), gpu.throttled.end(),
                          [](const std::string& reason) { return reason != "power_cap" && reason != "sync_boost"; });
    }
  }
  std::string text;
  for (const auto& [gpu, counts] : gpus) {
    if (counts.first == 0) continue;
    text += (text.empty() ? "The clock was held down by heat, hardware or the power brake: " : ", ") +
            std::string("GPU ") + std::to_string(std::get<1>(gpu)) + " of " + std::get<0>(gpu) + " in " +
            percent(static_cast<double>(counts.first) / counts.second) + " of its samples";
  }
  return text.empty() ? "" : text + ".";
}

/// Means of what was sampled in the loop.
std::string use_sentence(const RunRecord& run) {
  std::map<std::string, std::pair<double, int>> cores, gpus;
  const auto note = [](std::pair<double, int>& into, const std::optional<double>& value) {
    if (!value) return;
    into.first += *value;
    ++into.second;
  };
  for (const HistorySample& sample : run.samples) {
    if (sample.seconds <= 0) continue;
    note(cores[sample.node.host], sample.node.cpu_percent);
    for (const GpuSample& gpu : sample.node.gpus) {
      if (gpu.age_of("utilization") > 0) continue;  // noted already
      note(gpus["GPU " + std::to_string(gpu.index) + " of " + sample.node.host], gpu.utilization_percent);
    }
  }
  std::string text;
  const auto mean = [](const std::pair<double, int>& of) { return of.second == 0 ? 0 : of.first / of.second; };
  for (const auto& [host, of] : cores) {
    if (mean(of) < kBusyCores) continue;
    text += "The cores of " + host + " were busy to " + fixed(mean(of), 0) +
            " % in the mean: ranks may have waited for a core. ";
  }
  const auto by_mean = [&](const auto& a, const auto& b) { return mean(a.second) < mean(b.second); };
  const auto [least, most] = std::minmax_element(gpus.begin(), gpus.end(), by_mean);
  if (least != gpus.end() && mean(least->second) < kIdleGpu) {
    text += "Least used in the mean: " + least->first + " with " + fixed(mean(least->second), 0) +
            " %, most: " + most->first + " with " + fixed(mean(most->second), 0) + " %.";
  }
  return text;
}

std::string alerts_sentence(const RunRecord& run) {
  if (run.alerts.empty()) return "";
  std::string text = count(run.alerts.size(), "alert") + ": ";
  for (std::size_t i = 0; i < std::min<std::size_t>(run.alerts.size(), 5); ++i) {
    const Alert& alert = run.alerts[i].alert;
    const std::string device = alert.device < 0 ? "" : " " + std::to_string(alert.device);
    text += (i == 0 ? "" : ", ") + alert.kind + device + (alert.host.empty() ? "" : " on " + alert.host) + " at " +
            fixed(run.alerts[i].seconds, 1) + " s";
  }
  return text + (run.alerts.size() > 5 ? ", and more." : ".");
}

/// Of a job without a summary.
std::string journal_sentence(const RunRecord& run) {
  double worked = 0;
  std::uint64_t items = 0;
  for (const RunItem& item : run.items) {
    if (!item.of_last_job || item.record.finished_seconds <= 0) continue;
    worked += item.record.seconds;
    ++items;
  }
  const double all = run.seconds().value_or(0) * run.replicas();
  if (items == 0 || all <= 0) return "";
  return "By the journal, " + count(items, "item") + " took " + duration(worked) + " of the " + duration(all) +
         " that " + count(static_cast<std::uint64_t>(run.replicas()), "replica") + " had: " + percent(worked / all) +
         ". The rest was waiting, or work on items that never came home.";
}

std::string verdict(const std::vector<Loss>& losses) {
  const Loss& largest = losses.front();
  if (largest.share < kWorthSaying) {
    return "Nothing stands out: no single loss is more than " + percent(kWorthSaying) + " of the job.";
  }
  std::string text = "Largest loss, " + percent(largest.share) + " of the job with its start: " + largest.what +
                     ". What may help: " + largest.remedy + ".";
  for (std::size_t i = 1; i < losses.size() && losses[i].share >= kWorthSaying; ++i) {
    text += (i == 1 ? " Then: " : "; ") + losses[i].what + " (" + percent(losses[i].share) + ")";
    if (i + 1 == losses.size() || losses[i + 1].share < kWorthSaying) text += ".";
  }
  return text;
}

void add(std::vector<std::string>& sentences, std::string sentence) {
  if (!sentence.empty()) sentences.push_back(std::move(sentence));
}

}  // namespace

std::vector<std::string> where_the_time_went(const RunRecord& run) {
  std::vector<std::string> sentences;
  const auto shares = run.summary ? time_shares(*run.summary) : std::nullopt;
  if (!shares || run.summary->made() == 0) {
    sentences.push_back(run.summary ? "This job made nothing: all that could be done was done by earlier jobs."
                                    : "Not known: the last job wrote no summary.");
    if (!run.summary) add(sentences, journal_sentence(run));
    add(sentences, throttling_sentence(run));
    add(sentences, use_sentence(run));
    add(sentences, alerts_sentence(run));
    return sentences;
  }
  const Summary& summary = *run.summary;
  add(sentences, verdict(losses_of(run, summary, *shares)));
  add(sentences, throttling_sentence(run));
  add(sentences, use_of_time(run, summary, *shares));
  add(sentences, bound_sentence(run, summary));
  add(sentences, slowest_sentence(run));
  add(sentences, use_sentence(run));
  add(sentences, alerts_sentence(run));
  add(sentences, writing_sentence(summary));
  if (run.sent_again > 0) {
    add(sentences, count(run.sent_again, "unit") + " went out more than once: moved at the tail, or after a crash.");
  }
  return sentences;
}

}  // namespace trireme::report
