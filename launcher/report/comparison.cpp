#include "launcher/report/comparison.h"

#include <algorithm>
#include <set>
#include <string>

#include "common/print.h"
#include "launcher/report/charts.h"
#include "launcher/report/numbers.h"
#include "launcher/report/resources.h"
#include "launcher/report/results_section.h"
#include "launcher/report/run_sections.h"
#include "launcher/report/time_account.h"
#include "launcher/report/time_story.h"

namespace trireme::report {
namespace {

constexpr double kSlowed = 1.1;  // times as long

template <class Value>
bool all_equal(const std::vector<RunRecord>& runs, Value value) {
  return std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return value(run) == value(runs.front()); });
}

std::string device_of(const RunRecord& run) {
  if (run.summary) return run.summary->ranks.front().device;
  const auto fact = run.start.facts.find("device");
  return fact == run.start.facts.end() ? "-" : fact->second;
}

/// What a reader must know before comparing.
Bullets caveats(const std::vector<RunRecord>& runs) {
  Bullets bullets;
  bullets.lines.push_back(all_equal(runs, [](const RunRecord& run) { return run.run_id; })
                              ? "All runs have one run id: the same inputs, model and numeric settings."
                              : "The run ids differ: inputs, model or numeric settings are not the same, so times may "
                                "differ for that reason.");
  if (!all_equal(runs, device_of)) bullets.lines.push_back("They ran on different kinds of device.");
  if (!all_equal(runs, throughput_unit)) bullets.lines.push_back("Their throughputs have different units.");
  for (const RunRecord& run : runs) {
    if (!run.summary)
      bullets.lines.push_back(run.name +
                              ": its last job wrote no summary; its numbers are those of its last sign of life.");
    if (run.summary && run.summary->made() < run.total()) {
      bullets.lines.push_back(run.name + ": its last job made " + std::to_string(run.summary->made()) + " of " +
                              count(run.total(), "item") + "; its numbers are those of that job.");
    }
  }
  return bullets;
}

/// Busy seconds of all ranks for an item (of texts: for a token); nothing when not known.
std::optional<double> busy_an_item(const RunRecord& run) {
  if (!run.summary) return std::nullopt;
  double busy = 0;
  for (const RankSummary& rank : run.summary->ranks) busy += rank.busy_seconds;
  const std::uint64_t made = run.summary->text ? run.summary->tokens() : run.summary->made();
  if (made == 0 || busy <= 0) return std::nullopt;
  return busy / static_cast<double>(made);
}

Table speed_table(const std::vector<RunRecord>& runs) {
  const std::vector<std::optional<double>> efficiency = efficiencies(runs);
  Table table;
  table.caption = "Speed. Efficiency: throughput a rank over that of the run with fewest ranks";
  table.columns = {{"run", false},    {"ranks"},         {"stages"},
                   {"policy", false}, {"device", false}, {"items"},
                   {"failed"},        {"loop s"},        {throughput_unit(runs.front())},
                   {"efficiency"}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    const Summary* summary = run.summary ? &*run.summary : nullptr;
    table.rows.push_back({run.name, std::to_string(run.ranks()),
                          summary ? std::to_string(summary->pipeline ? summary->pipeline->stages : 1) : "-",
                          summary ? summary->policy : "-", device_of(run),
                          std::to_string(summary ? summary->made() : run.done()), std::to_string(run.failed()),
                          or_dash(run.seconds(), 2), or_dash(throughput(run), 3), or_dash(efficiency[i], 3)});
  }
  return table;
}

Table cost_table(const std::vector<RunRecord>& runs) {
  Table table;
  table.caption = "Balance and cost. Over bound: seconds over the lower bound. Busy: of all ranks together";
  table.columns = {{"run", false}, {"start s"},      {"balance"},
                   {"over bound"}, {"idle %"},       {runs.front().text() ? "busy s/token" : "busy s/item"},
                   {"J/item"},     {"peak GiB/rank"}};
  for (const RunRecord& run : runs) {
    std::vector<std::string> row{run.name};
    const auto shares = run.summary ? time_shares(*run.summary) : std::nullopt;
    if (!shares) {
      row.resize(table.columns.size(), "-");
      table.rows.push_back(std::move(row));
      continue;
    }
    std::uint64_t peak = 0;
    for (const RankSummary& rank : run.summary->ranks) peak = std::max(peak, rank.peak_memory_bytes);
    row.push_back(fixed(start_seconds(*run.summary), 2));
    row.push_back(fixed(run.summary->balance(), 3));
    row.push_back(run.summary->lower_bound_seconds > 0 ? fixed(run.summary->over_lower_bound(), 3) : "-");
    row.push_back(fixed(100 * (shares->uneven + shares->waiting), 1));
    row.push_back(or_dash(busy_an_item(run), 4));
    row.push_back(or_dash(joules_per_item(run), 1));
    row.push_back(fixed(static_cast<double>(peak) / (1u << 30), 2));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// Of runs of the same work: why more ranks are not as many times faster.
std::string slowed_sentence(const RunRecord& run, const RunRecord& fewest) {
  const auto now = busy_an_item(run), then = busy_an_item(fewest);
  if (&run == &fewest || run.run_id != fewest.run_id || !now || !then || *now < kSlowed * *then) return "";
  return " An item kept ranks busy " + fixed(*now / *then, 2) + " times as long as in " + fewest.name + " (" +
         duration(*now) + " against " + duration(*then) +
         "): its ranks slow each other down (shared cores, memory, power), or wait for each other in a replica.";
}

std::string in_words(const std::vector<Point>& points, const std::string& unit) {
  std::string text;
  for (const Point& point : points) {
    text += (text.empty() ? "" : ", ") + print("%.3g%s at ", point.y, unit.empty() ? "" : (" " + unit).c_str()) +
            count(static_cast<std::uint64_t>(point.x), "rank");
  }
  return text;
}

/// Throughput and efficiency over ranks; nothing when all have as many ranks.
std::optional<Section> scaling_section(const std::vector<RunRecord>& runs) {
  std::vector<Point> rates, shares;
  const std::vector<std::optional<double>> efficiency = efficiencies(runs);
  std::set<int> ranks;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto rate = throughput(runs[i]);
    if (!rate || !efficiency[i] || *rate <= 0) continue;
    ranks.insert(runs[i].ranks());
    rates.push_back({static_cast<double>(runs[i].ranks()), *rate, print("%.3g", *rate)});
    shares.push_back({static_cast<double>(runs[i].ranks()), *efficiency[i], fixed(*efficiency[i], 3)});
  }
  if (ranks.size() < 2) return std::nullopt;
  const auto by_ranks = [](const Point& a, const Point& b) { return a.x < b.x; };
  std::stable_sort(rates.begin(), rates.end(), by_ranks);
  std::stable_sort(shares.begin(), shares.end(), by_ranks);
  const std::string unit = throughput_unit(runs.front());
  const double first = rates.front().x, last = rates.back().x, a_rank = rates.front().y / shares.front().y / first;
  const Plot speed{"throughput over ranks: " + in_words(rates, unit),
                   "ranks",
                   unit,
                   rates,
                   {{first, a_rank * first, {}}, {last, a_rank * last, {}}}};
  const Plot share{
      "efficiency over ranks: " + in_words(shares, ""), "ranks", "efficiency", shares, {{first, 1, {}}, {last, 1, {}}}};
  Figures figures;
  figures.large = true;
  figures.caption = "Against the run with fewest ranks; dashed: as fast as its ranks would be if nothing was lost";
  figures.each.push_back({"Throughput over ranks", in_words(rates, unit), plot_svg(speed)});
  figures.each.push_back({"Efficiency over ranks", in_words(shares, ""), plot_svg(share)});
  return Section{"Scaling", {std::move(figures)}};
}

Section time_section(const std::vector<RunRecord>& runs) {
  Section section{"Where the time went", {}};
  Table table;
  table.caption = "Shares of the ranks' seconds in the loop, in per cent";
  table.columns = {{"run", false}, {"encode"},     {"prefill"},           {"denoise"},
                   {"decode"},     {"other busy"}, {"idle: uneven work"}, {"idle: waiting"}};
  Bullets bullets;
  const RunRecord& fewest = *std::min_element(
      runs.begin(), runs.end(), [](const RunRecord& a, const RunRecord& b) { return a.ranks() < b.ranks(); });
  for (const RunRecord& run : runs) {
    bullets.lines.push_back(run.name + ": " + where_the_time_went(run).front() + slowed_sentence(run, fewest));
    const auto shares = run.summary ? time_shares(*run.summary) : std::nullopt;
    if (!shares) continue;
    std::vector<std::string> row{run.name};
    for (const double share : {shares->encode, shares->prefill, shares->denoise, shares->decode, shares->other,
                               shares->uneven, shares->waiting}) {
      row.push_back(fixed(100 * share, 1));
    }
    table.rows.push_back(std::move(row));
  }
  section.blocks.push_back(std::move(bullets));
  if (!table.rows.empty()) section.blocks.push_back(std::move(table));
  return section;
}

}  // namespace

std::vector<std::optional<double>> efficiencies(const std::vector<RunRecord>& runs) {
  const RunRecord* fewest = nullptr;
  for (const RunRecord& run : runs) {
    if (throughput(run).value_or(0) > 0 && (fewest == nullptr || run.ranks() < fewest->ranks())) fewest = &run;
  }
  std::vector<std::optional<double>> each(runs.size());
  if (fewest == nullptr) return each;
  const double a_rank = *throughput(*fewest) / fewest->ranks();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto rate = throughput(runs[i]);
    const std::string unit = throughput_unit(runs[i]);
    if (rate && unit == throughput_unit(*fewest)) each[i] = *rate / runs[i].ranks() / a_rank;
  }
  return each;
}

Chapter comparison_chapter(const std::vector<RunRecord>& runs, std::size_t items) {
  Chapter chapter{"Comparison", "", {}, {}};
  for (const RunRecord& run : runs) chapter.subtitle += (chapter.subtitle.empty() ? "" : " · ") + run.name;
  chapter.sections.push_back({"The runs", {speed_table(runs), cost_table(runs), caveats(runs)}});
  chapter.sections.push_back(time_section(runs));
  if (auto scaling = scaling_section(runs)) chapter.sections.push_back(std::move(*scaling));
  if (items > 0) {
    Section section = side_by_side_section(runs, items);
    if (!section.blocks.empty()) chapter.sections.push_back(std::move(section));
  }
  return chapter;
}

}  // namespace trireme::report
