#include "launcher/report/run_sections.h"

#include <algorithm>

#include "common/errors.h"
#include "common/print.h"
#include "launcher/report/numbers.h"
#include "launcher/report/resources.h"
#include "launcher/report/results_section.h"
#include "launcher/report/time_account.h"
#include "launcher/report/time_story.h"
#include "launcher/report/timeline.h"

namespace trireme::report {
namespace {

constexpr std::size_t kMostRanks = 256;  // rows of a table

Section time_section(const RunRecord& run) {
  std::vector<std::string> sentences = where_the_time_went(run);
  Section section{"Where the time went", {Paragraph{sentences.front(), true}}};
  sentences.erase(sentences.begin());
  if (!sentences.empty()) section.blocks.push_back(Bullets{std::move(sentences)});
  return section;
}

Table phase_table(const Summary& summary) {
  Table table;
  table.caption =
      "Seconds of each rank's own device in each phase; transfer and write are those of the results that "
      "the rank made, done by rank 0 and its threads";
  table.columns = {{"rank", false}, {"host", false}, {"device", false}, {"items"}};
  std::vector<std::size_t> phases;
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) {
    if (spread_of(summary, static_cast<RankPhase>(i)).max <= 0) continue;
    phases.push_back(i);
    table.columns.push_back({kRankPhases[i]});
  }
  for (const char* head : {"busy", "idle", "idle %", "peak GiB"}) table.columns.push_back({head});
  for (const RankSummary& rank : summary.ranks) {
    if (table.rows.size() == kMostRanks) break;
    std::vector<std::string> row{std::to_string(rank.rank), rank.host, rank.device, std::to_string(rank.items)};
    for (const std::size_t i : phases) row.push_back(fixed(rank.seconds[i], 3));
    const double all = rank.busy_seconds + rank.idle_seconds;
    row.insert(row.end(), {fixed(rank.busy_seconds, 3), fixed(rank.idle_seconds, 3),
                           fixed(all > 0 ? 100 * rank.idle_seconds / all : 0, 1),
                           fixed(static_cast<double>(rank.peak_memory_bytes) / (1u << 30), 2)});
    table.rows.push_back(std::move(row));
  }
  if (summary.ranks.size() > kMostRanks) table.caption += "; the first " + std::to_string(kMostRanks) + " ranks";
  return table;
}

Table spread_table(const Summary& summary) {
  Table table;
  table.caption = "The same over all ranks, in seconds";
  table.columns = {{"phase", false}, {"least"}, {"mean"}, {"most"}};
  for (std::size_t i = 0; i < kRankPhases.size(); ++i) {
    const Spread spread = spread_of(summary, static_cast<RankPhase>(i));
    if (spread.max > 0)
      table.rows.push_back({kRankPhases[i], fixed(spread.min, 3), fixed(spread.average, 3), fixed(spread.max, 3)});
  }
  return table;
}

Table pipeline_table(const PipelineSummary& pipeline) {
  Table table;
  table.caption = "Pipeline of " + std::to_string(pipeline.stages) + " stages, layers " + pipeline.layers +
                  ": shares of the stages' time that were lost";
  table.columns = {{"", false}, {"seconds"}, {"fill %"}, {"imbalance %"}, {"transfer %"}, {"sum %"}};
  const auto add = [&](const char* name, double seconds, const RingLoss& loss) {
    table.rows.push_back({name, fixed(seconds, 3), fixed(100 * loss.fill, 1), fixed(100 * loss.imbalance, 1),
                          fixed(100 * loss.transfer, 1), fixed(100 * loss.sum(), 1)});
  };
  add("measured", pipeline.seconds, pipeline.measured);
  add("predicted", pipeline.predicted_seconds, pipeline.predicted);
  return table;
}

Table start_table(const Summary& summary) {
  Table table;
  table.caption = "From the start of rank 0's process to its first result on disk, step by step";
  table.columns = {{"step", false}, {"seconds"}};
  for (const auto& [step, seconds] : summary.start_up) table.rows.push_back({step, fixed(seconds, 3)});
  return table;
}

Section phases_section(const RunRecord& run) {
  Section section{"Phases and ranks", {}};
  if (!run.summary) {
    section.blocks.push_back(Paragraph{"Not known: the last job wrote no summary."});
    if (run.status && !run.status->replicas.empty()) {
      Table table;
      table.caption = "Replicas, as of the last sign of life (" + run.status->updated + ")";
      table.columns = {{"replica", false}, {"units in hand"}, {"items done"}, {"busy s"}};
      for (std::size_t i = 0; i < run.status->replicas.size() && i < kMostRanks; ++i) {
        const ReplicaStatus& of = run.status->replicas[i];
        table.rows.push_back({std::to_string(i) + (of.slow ? " (slow)" : ""), std::to_string(of.in_hand),
                              std::to_string(of.done), fixed(of.busy_seconds, 3)});
      }
      section.blocks.push_back(std::move(table));
    }
    return section;
  }
  section.blocks.push_back(phase_table(*run.summary));
  if (run.summary->ranks.size() > 1) section.blocks.push_back(spread_table(*run.summary));
  if (!run.summary->start_up.empty()) section.blocks.push_back(start_table(*run.summary));
  if (run.summary->pipeline) section.blocks.push_back(pipeline_table(*run.summary->pipeline));
  return section;
}

Section configuration_section(const RunRecord& run) {
  Section section{"Configuration and versions", {}};
  Table table;
  table.caption = "What results depend on beside the prompts, and what it ran on";
  table.columns = {{"what", false}, {"is", false}};
  table.rows.push_back({"run id", run.run_id.empty() ? "not known" : run.run_id});
  table.rows.push_back({"run directory", run.folder.string()});
  const auto& facts = run.summary && !run.summary->facts.empty() ? run.summary->facts : run.start.facts;
  for (const auto& [name, value] : facts) table.rows.push_back({name, value});
  if (run.summary) {
    table.rows.push_back({"dispatch.policy", run.summary->policy});
    table.rows.push_back({"carrier of results", run.summary->carrier});
    std::uint64_t bytes = 0, transfers = 0;
    for (const RankSummary& rank : run.summary->ranks) {
      bytes += rank.carrier_bytes;
      transfers += rank.carrier_transfers;
    }
    table.rows.push_back(
        {"sent over it", fixed(static_cast<double>(bytes) / 1e6, 3) + " MB in " + count(transfers, "transfer")});
  }
  section.blocks.push_back(std::move(table));
  if (!run.job.empty()) section.blocks.push_back(Listing{"job.yaml: the job with all its values", run.job});
  return section;
}

std::string subtitle_of(const RunRecord& run) {
  std::string text = "Run " + (run.run_id.empty() ? "of unknown id" : run.run_id.substr(0, 12));
  if (run.start.launch > 0) text += " · job " + std::to_string(run.start.launch);
  text += " · " + count(static_cast<std::uint64_t>(run.ranks()), "rank");
  if (run.replicas() != run.ranks()) text += " in " + count(static_cast<std::uint64_t>(run.replicas()), "replica");
  if (run.summary) text += " of " + run.summary->ranks.front().device;
  text += " · " + how_it_ended(run);
  if (run.status) text += " · last sign of life " + run.status->updated;
  return text;
}

std::vector<KeyFigure> key_figures(const RunRecord& run) {
  std::vector<KeyFigure> figures;
  figures.push_back({std::to_string(run.done()) + " of " + std::to_string(run.total()), "items done"});
  figures.push_back({std::to_string(run.failed()), "failed"});
  if (const auto seconds = run.seconds()) figures.push_back({duration(*seconds), "in the loop of the last job"});
  if (const auto rate = throughput(run)) figures.push_back({print("%.4g", *rate), throughput_unit(run)});
  if (!run.summary) return figures;
  const Summary& summary = *run.summary;
  if (summary.text) figures.push_back({print("%.4g", summary.items_per_second()), "requests/s"});
  if (summary.ranks.size() > 1) figures.push_back({fixed(summary.balance(), 3), "balance score (1 is even)"});
  if (summary.lower_bound_seconds > 0)
    figures.push_back({fixed(summary.over_lower_bound(), 3), "time over lower bound"});
  if (const auto shares = time_shares(summary))
    figures.push_back({percent(shares->uneven + shares->waiting), "ranks' time idle"});
  if (const auto joules = joules_per_item(run))
    figures.push_back({fixed(*joules, 1) + " J", summary.text ? "energy a request" : "energy an image"});
  return figures;
}

}  // namespace

std::string how_it_ended(const RunRecord& run) {
  if (run.merged) return "merged from shards";
  const int code = run.summary ? run.summary->exit_code : run.status ? run.status->exit_code : 0;
  if (run.ended || run.summary) {
    return "ended with code " + std::to_string(code) + " (" + explain(static_cast<ExitCode>(code)) + ")";
  }
  return "has not ended by itself: it is still running, or was killed, or crashed";
}

std::optional<double> throughput(const RunRecord& run) {
  if (run.summary) return run.summary->text ? run.summary->tokens_per_second() : run.summary->items_per_second();
  if (run.status) return run.status->tokens > 0 ? run.status->tokens_per_second : run.status->items_per_second;
  return std::nullopt;
}

const char* throughput_unit(const RunRecord& run) {
  const bool tokens = run.summary ? run.summary->text : run.status && run.status->tokens > 0;
  return tokens ? "tokens/s" : "images/s";
}

Chapter run_chapter(const RunRecord& run, std::size_t items) {
  Chapter chapter{run.name, subtitle_of(run), key_figures(run), {}};
  if (!run.missing.empty()) chapter.sections.push_back({"What is missing", {Bullets{run.missing}}});
  if (run.merged) {
    chapter.sections.push_back({"Merged",
                                {Paragraph{"This run was merged from shards, each a job of its own: report "
                                           "their folders for times, ranks and GPUs."}}});
  } else {
    chapter.sections.push_back(time_section(run));
  }
  if (items > 0) chapter.sections.push_back(results_section(run, items));
  chapter.sections.push_back(trouble_section(run));
  if (auto timeline = timeline_section(run)) chapter.sections.push_back(std::move(*timeline));
  if (!run.merged) {
    chapter.sections.push_back(phases_section(run));
    chapter.sections.push_back(resources_section(run));
    chapter.sections.push_back(alerts_section(run));
  }
  chapter.sections.push_back(configuration_section(run));
  return chapter;
}

}  // namespace trireme::report
