#include "launcher/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/files.h"
#include "common/journal_lines.h"
#include "common/monitor_history.h"
#include "launcher/report/run_record.h"
#include "tests/common/error_of.h"
#include "tests/launcher/report/run_folder.h"

namespace trireme::report {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Pages {
  std::string html, markdown;
};

Pages report_of(std::vector<std::filesystem::path> runs) {
  const TemporaryFolder out;
  const ReportFiles files = write_report({.runs = std::move(runs), .folder = out.path()});
  return {read_file(files.html, 1 << 26), read_file(files.markdown, 1 << 26)};
}

Pages report_of(const RunFolder& run) { return report_of(std::vector{run.path()}); }

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

/// Everything that a browser could fetch or run.
void expect_self_contained(const std::string& html) {
  for (const char* word :
       {"http:", "https:", "<script", "<link", "<iframe", "@import", "url(", "src=\"/", "javascript:"}) {
    EXPECT_THAT(html, Not(HasSubstr(word)));
  }
  EXPECT_EQ(count(html, "src="), count(html, "src=\"data:image/png;base64,"));
}

}  // namespace

TEST(Report, SaysWhatWasMadeHowFastAndWhereTheTimeWent) {
  const RunFolder run;
  const auto [html, markdown] = report_of(run);
  for (const std::string& page : {html, markdown}) {
    EXPECT_THAT(page, HasSubstr("3 of 4"));
    EXPECT_THAT(page, HasSubstr("Where the time went"));
    EXPECT_THAT(page, HasSubstr("0.833")) << "balance";
    EXPECT_THAT(page, HasSubstr("1.250")) << "over the lower bound";
    EXPECT_THAT(page, HasSubstr("1500.0 J")) << "an image";
    EXPECT_THAT(page, HasSubstr("the prompt asks to fail"));
    EXPECT_THAT(page, HasSubstr("the clock is held down: thermal"));
    EXPECT_THAT(page, HasSubstr("2.11.0"));
    EXPECT_THAT(page, HasSubstr("family: fake"));
    EXPECT_THAT(page, HasSubstr("狐狸"));
  }
  EXPECT_EQ(count(html, "<img "), 3u);
  EXPECT_THAT(html, HasSubstr("GPU 1 of h0: temperature"));
  EXPECT_THAT(html, Not(HasSubstr("What is missing")));
}

TEST(Report, NeedsNothingElseWhateverThePromptsSay) {
  const RunFolder run(
      {"<script>alert(1)</script>", "x\" onerror='alert(1)", "\u202Eשלום 🦊 https", "</style><link>"});
  const auto [html, markdown] = report_of(run);
  expect_self_contained(html);
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(markdown, HasSubstr("&lt;script\\>"));
  EXPECT_THAT(markdown, Not(HasSubstr("<script")));
}

TEST(Report, OfAKilledRunIsMadeFromItsJournal) {
  const RunFolder run;
  for (const char* name : {"summary.json", "results.jsonl", "status.json"}) run.remove(name);
  std::string journal = run.read("journal.jsonl");
  journal.resize(journal.rfind("{\"type\":\"end\""));
  run.write("journal.jsonl", journal);
  const auto [html, markdown] = report_of(run);
  EXPECT_THAT(html, HasSubstr("What is missing"));
  EXPECT_THAT(html, HasSubstr("summary.json is not there"));
  EXPECT_THAT(html, HasSubstr("has not ended by itself"));
  EXPECT_THAT(html, HasSubstr("Not known: the last job wrote no summary."));
  EXPECT_EQ(count(html, "<img "), 3u);
  EXPECT_THAT(html, HasSubstr("timeline of 2 replicas"));
  EXPECT_THAT(html, HasSubstr("4 pictures, as they came home"));
}

TEST(Report, OfARunWithoutAJournalIsMadeFromItsSummary) {
  const RunFolder run;
  run.remove("journal.jsonl");
  const auto [html, markdown] = report_of(run);
  EXPECT_THAT(html, HasSubstr("journal.jsonl is not there"));
  EXPECT_THAT(html, HasSubstr("Not known: the journal would name them."));
  EXPECT_THAT(html, Not(HasSubstr("neither finished nor failed")));
  EXPECT_THAT(html, HasSubstr("0.833"));
  EXPECT_THAT(html, HasSubstr("3 of 4"));
}

TEST(Report, NamesEveryFileThatIsDamagedAndGoesOn) {
  for (const char* name :
       {"summary.json", "status.json", "results.jsonl", "trace.json", "monitor.jsonl", "images/b.png"}) {
    const RunFolder run;
    run.write(name, "{\"damaged");
    const auto [html, markdown] = report_of(run);
    EXPECT_THAT(html, HasSubstr("3 of 4")) << name;
    if (std::string(name) != "monitor.jsonl") {
      EXPECT_THAT(html, HasSubstr(name));
    }
    EXPECT_EQ(count(html, "<img "), std::string(name) == "images/b.png" ? 2u : 3u) << name;
  }
}

TEST(Report, OfMergedShardsHasNoTimesOfItsOwn) {
  const RunFolder run;
  for (const char* name : {"summary.json", "status.json", "job.yaml", "monitor.jsonl"}) run.remove(name);
  std::filesystem::create_directory(run / "shard-00000-of-00002");
  const std::string html = report_of(run).html;
  EXPECT_THAT(html, HasSubstr("This run was merged from shards"));
  EXPECT_THAT(html, Not(HasSubstr("What is missing")));
  EXPECT_THAT(html, Not(HasSubstr("timeline of")));
  EXPECT_EQ(count(html, "<img "), 3u);
}

TEST(Report, SaysWhichPictureIsMissing) {
  const RunFolder run;
  run.remove("images/b.png");
  EXPECT_THAT(report_of(run).html, HasSubstr("its file is missing: images/b.png"));
}

TEST(Report, TakesNoTraceAndNoSummaryOfAnEarlierJob) {
  const RunFolder run;
  run.write("trace.json",
            R"({"otherData": {"launch": 1}, "traceEvents": [{"ph": "X", "pid": 0, "tid": 0, "cat": "denoise",
             "name": "denoise unit 0", "ts": 1000000, "dur": 2000000}, {"ph": "X", "cat": "\"><script>"}]})");
  const std::string traced = report_of(run).html;
  EXPECT_THAT(traced, HasSubstr("denoise unit 0: 2.000 s"));
  expect_self_contained(traced);
  run.append("journal.jsonl", to_text(JournalLine(StartLine{2, 2, 1, 4, {}})));
  const std::string resumed = report_of(run).html;
  EXPECT_THAT(resumed, HasSubstr("summary.json is of job 1, the last one is 2"));
  EXPECT_THAT(resumed, HasSubstr("trace.json is of an earlier job"));
  EXPECT_THAT(resumed, Not(HasSubstr("denoise unit 0")));
}

TEST(Report, ComparesRunsAndPlotsHowTheyScale) {
  const RunFolder two, one;
  Summary summary = two_rank_summary();
  summary.ranks.resize(1);
  summary.ranks[0].items = 4;
  summary.seconds = 16;
  write_summary(one / "summary.json", summary);
  const auto [html, markdown] = report_of({two.path(), one.path()});
  EXPECT_THAT(html, HasSubstr("2 Trireme runs compared"));
  EXPECT_THAT(html, HasSubstr("All runs have one run id"));
  EXPECT_THAT(html, HasSubstr("Efficiency over ranks"));
  EXPECT_THAT(html, HasSubstr("<td>0.800</td>")) << "4 in 10 s on two ranks against 4 in 16 s on one";
  EXPECT_THAT(html, HasSubstr("Side by side"));
  EXPECT_THAT(markdown, HasSubstr("| 0.800 |"));
  expect_self_contained(html);
}

TEST(Report, ShowsAnswersInsteadOfPictures) {
  const RunFolder run;
  ItemRecord record;
  record.id = "a";
  record.ok = true;
  record.text = TextResult{"two <b>foxes</b>\nand 狐狸", {5, 6}, FinishReason::length, 12, 0.25, 0.5};
  run.write("journal.jsonl",
            header_text("x") + to_text(JournalLine(StartLine{1, 2, 1, 1, {}})) + to_text(JournalLine(record)));
  Summary summary = two_rank_summary();
  summary.text = true;
  write_summary(run / "summary.json", summary);
  const std::string html = report_of(run).html;
  EXPECT_THAT(html, HasSubstr("two &lt;b&gt;foxes&lt;/b&gt;\nand 狐狸"));
  EXPECT_THAT(html, HasSubstr("cut off after 2 tokens"));
  EXPECT_THAT(html, HasSubstr("a fox")) << "what was asked";
}

TEST(Report, ShowsNoMoreItemsThanWanted) {
  const RunFolder run;
  const TemporaryFolder out;
  const ReportFiles files = write_report({.runs = {run.path()}, .folder = out.path(), .items = 2});
  const std::string html = read_file(files.html, 1 << 26);
  EXPECT_EQ(count(html, "<img "), 2u);
  EXPECT_THAT(html, HasSubstr("The first 2 of 4 pictures"));
}

TEST(Report, RefusesAFolderThatIsNoRun) {
  const TemporaryFolder empty;
  const auto refused = [](const std::filesystem::path& folder) {
    return error_of([&] { write_report({.runs = {folder}, .folder = {}}); });
  };
  EXPECT_EQ(refused(empty.path()).code(), ExitCode::input_missing);
  EXPECT_THAT(refused(empty.path()).what(), HasSubstr("no run in it (no journal.jsonl)"));
  EXPECT_EQ(refused(empty / "missing").code(), ExitCode::input_missing);
  EXPECT_FALSE(std::filesystem::exists(empty / "report.html"));
  empty.write("journal.jsonl", "something else\n");
  EXPECT_EQ(refused(empty.path()).code(), ExitCode::bad_data);
}

}  // namespace trireme::report
