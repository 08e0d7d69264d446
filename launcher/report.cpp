#include "launcher/report.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "common/files.h"
#include "common/print.h"
#include "common/utc.h"
#include "launcher/report/comparison.h"
#include "launcher/report/html.h"
#include "launcher/report/markdown.h"
#include "launcher/report/numbers.h"
#include "launcher/report/run_record.h"
#include "launcher/report/run_sections.h"

namespace trireme {
namespace {

constexpr std::size_t kItemsSideBySide = 12;

/// Runs in folders of one name are told apart by the folders above.
void make_names_unique(std::vector<report::RunRecord>& runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto same = [&](const report::RunRecord& run) { return run.name == runs[i].name; };
    if (std::count_if(runs.begin(), runs.end(), same) > 1) {
      for (report::RunRecord& run : runs) run.name = run.folder.string();
      return;
    }
  }
}

report::Document document_of(const ReportOptions& options) {
  std::vector<report::RunRecord> runs;
  for (const auto& folder : options.runs) runs.push_back(report::read_run_record(folder));
  make_names_unique(runs);
  report::Document document;
  if (runs.size() == 1) {
    document.title = "Trireme run " + runs.front().name;
    document.chapters.push_back(report::run_chapter(runs.front(), options.items));
  } else {
    document.title = print("%zu Trireme runs compared", runs.size());
    document.chapters.push_back(report::comparison_chapter(runs, std::min(options.items, kItemsSideBySide)));
    for (const report::RunRecord& run : runs) {
      document.chapters.push_back(report::run_chapter(run, std::min(options.items, kItemsSideBySide)));
    }
  }
  document.footer = std::string("Made by trireme ") + TRIREME_VERSION + " report at " + utc_now() +
                    ". docs/report.md of the project says how each number is computed.";
  return document;
}

}  // namespace

ReportFiles write_report(const ReportOptions& options) {
  const report::Document document = document_of(options);
  std::filesystem::path folder = options.folder;
  if (folder.empty()) folder = options.runs.size() == 1 ? options.runs.front() : std::filesystem::path(".");
  create_folder(folder);
  const ReportFiles files{folder / "report.html", folder / "report.md"};
  write_file(files.html, report::to_html(document), Durability::renamed);
  write_file(files.markdown, report::to_markdown(document), Durability::renamed);
  return files;
}

void add_report(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "write a page about a run, or about several side by side");
  const auto options = std::make_shared<ReportOptions>();
  command->add_option("RUN", options->runs, "run directories")->required();
  command->add_option("-o,--output", options->folder,
                      "folder to write to; default: the run directory, of several runs the current folder");
  command->add_option("--items", options->items, "pictures or answers shown at most")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->callback([options] {
    const ReportFiles files = write_report(*options);
    std::printf("report: %s and %s\n", files.html.c_str(), files.markdown.c_str());
  });
}

}  // namespace trireme
