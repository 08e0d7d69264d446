#include "launcher/report/results_section.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "common/errors.h"
#include "common/utf8.h"
#include "launcher/raster.h"
#include "launcher/report/numbers.h"

namespace trireme::report {
namespace {

constexpr int kCell = 192;                            // pixels a side of a thumbnail
constexpr std::size_t kMostPictureBytes = 12u << 20;  // of a page
constexpr std::size_t kMostLetters = 4000;            // of an answer or a prompt, in bytes
constexpr std::size_t kMostTroubles = 100;

/// Not in the middle of a letter.
std::string shortened(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + " … (" + std::to_string(text.size() - end) + " bytes more)";
}

std::string note_of(const ItemRecord& record) {
  if (!record.ok) return "failed: " + shortened(record.error, 300);
  if (record.degraded) return "degraded: memory was short, its bits may differ";
  return "";
}

/// As the picture itself says it; empty when it does not (output.png_metadata: false).
std::string prompt_in(const std::filesystem::path& picture) {
  const auto text = png_text(picture, "trireme");
  if (!text) return "";
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("prompt") || !json["prompt"].is_string()) return "";
  return json["prompt"].get<std::string>();
}

Thumbnail thumbnail_of(const RunRecord& run, const RunItem& item) {
  const ItemRecord& record = item.record;
  Thumbnail thumbnail{record.id, shortened(item.prompt, 600), note_of(record), {}, 0, 0};
  if (!record.ok) return thumbnail;
  if (record.picture.file.empty()) {
    thumbnail.note = "no picture was wanted (output.images)";
    return thumbnail;
  }
  try {
    const Raster small = fit(read_png(run.folder / record.picture.file), kCell);
    thumbnail.png = png_bytes(small, record.picture.file);
    thumbnail.width = small.width;
    thumbnail.height = small.height;
    if (item.prompt.empty()) thumbnail.prompt = shortened(prompt_in(run.folder / record.picture.file), 600);
  } catch (const Error& e) {
    thumbnail.note = e.code() == ExitCode::input_missing ? "its file is missing: " + record.picture.file
                                                         : "its file is damaged: " + record.picture.file;
  }
  return thumbnail;
}

std::string first_of(const RunRecord& run, std::size_t shown, const std::string& what) {
  const std::string all = count(run.items.size(), what);
  const std::string text = shown == run.items.size() ? all : "The first " + std::to_string(shown) + " of " + all;
  return text + (run.in_input_order ? ", in the order of the input" : ", as they came home");
}

Gallery gallery_of(const RunRecord& run, std::size_t most) {
  Gallery gallery;
  std::size_t bytes = 0;
  for (const RunItem& item : run.items) {
    if (gallery.pictures.size() == most || bytes > kMostPictureBytes) break;
    gallery.pictures.push_back(thumbnail_of(run, item));
    bytes += gallery.pictures.back().png.size();
  }
  gallery.caption = first_of(run, gallery.pictures.size(), "picture");
  return gallery;
}

std::string said_of(const ItemRecord& record) {
  if (!record.ok || !record.text) return note_of(record);
  const TextResult& text = *record.text;
  return record.degraded ? note_of(record)
         : text.finish_reason == FinishReason::length
             ? "cut off after " + count(text.token_ids.size(), "token") + " (sampling.max_new_tokens)"
             : "";
}

Answers answers_of(const RunRecord& run, std::size_t most) {
  Answers answers;
  for (const RunItem& item : run.items) {
    if (answers.each.size() == most) break;
    std::string asked = shortened(item.prompt, kMostLetters);
    for (const std::string& name : item.images) asked += " [" + name + "]";
    answers.each.push_back({item.record.id, asked,
                            item.record.text ? shortened(item.record.text->text, kMostLetters) : "",
                            said_of(item.record)});
  }
  answers.caption = first_of(run, answers.each.size(), "answer");
  return answers;
}

const RunItem* find(const RunRecord& run, const std::unordered_map<std::string, std::size_t>& places,
                    const std::string& id) {
  const auto found = places.find(id);
  return found == places.end() ? nullptr : &run.items[found->second];
}

}  // namespace

Section results_section(const RunRecord& run, std::size_t most) {
  Section section{run.text() ? "Answers" : "Pictures", {}};
  if (!run.items_known) {
    section.blocks.push_back(Paragraph{"Not known: the journal would name them."});
  } else if (run.items.empty()) {
    section.blocks.push_back(Paragraph{"None: the journal names no finished item."});
  } else if (run.text()) {
    section.blocks.push_back(answers_of(run, most));
  } else {
    section.blocks.push_back(gallery_of(run, most));
  }
  return section;
}

Section trouble_section(const RunRecord& run) {
  Section section{"Failed and degraded items", {}};
  if (!run.items_known) {
    section.blocks.push_back(Paragraph{"Not known: the journal would name them."});
    return section;
  }
  Table table;
  table.caption = "Items that failed, or whose bits may differ";
  table.columns = {{"id", false}, {"what", false}, {"replica"}, {"attempt"}, {"reason", false}};
  std::map<std::string, std::uint64_t> reasons;
  std::uint64_t degraded = 0;
  for (const RunItem& item : run.items) {
    const ItemRecord& record = item.record;
    if (record.ok && !record.degraded) continue;
    degraded += record.ok;
    if (!record.ok) ++reasons[record.error];
    if (table.rows.size() == kMostTroubles) continue;
    table.rows.push_back({record.id, record.ok ? "degraded" : "failed",
                          record.replica < 0 ? "-" : std::to_string(record.replica), std::to_string(record.attempt),
                          record.ok ? "memory was short" : shortened(record.error, 500)});
  }
  const std::uint64_t open = run.total() - std::min<std::uint64_t>(run.total(), run.items.size());
  if (open > 0) {
    section.blocks.push_back(Paragraph{count(open, "item") + " of " + std::to_string(run.total()) +
                                       (open == 1 ? " is" : " are") +
                                       " neither finished nor failed: the same command again goes on."});
  }
  if (table.rows.empty()) {
    section.blocks.push_back(Paragraph{"No item failed, none is degraded."});
    return section;
  }
  const std::uint64_t failed = run.failed();
  std::string text = count(failed, "item") + " failed, " + std::to_string(degraded) + " degraded";
  if (table.rows.size() < failed + degraded) text += "; the first " + std::to_string(table.rows.size()) + " are listed";
  section.blocks.push_back(Paragraph{text + "."});
  if (reasons.size() > 1 && reasons.size() < failed) {
    Bullets bullets;
    for (const auto& [reason, number] : reasons) {
      if (bullets.lines.size() == 10) break;
      bullets.lines.push_back(std::to_string(number) + " times: " + shortened(reason, 300));
    }
    section.blocks.push_back(std::move(bullets));
  }
  section.blocks.push_back(std::move(table));
  return section;
}

Section side_by_side_section(const std::vector<RunRecord>& runs, std::size_t most) {
  Section section{"Side by side", {}};
  std::vector<std::unordered_map<std::string, std::size_t>> places(runs.size());
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (std::size_t i = 0; i < runs[r].items.size(); ++i) places[r].emplace(runs[r].items[i].record.id, i);
  }
  Gallery gallery;
  Answers answers;
  std::size_t shown = 0;
  for (const RunItem& first : runs.front().items) {
    if (shown == most) break;
    std::vector<const RunItem*> same;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      if (const RunItem* item = find(runs[r], places[r], first.record.id)) same.push_back(item);
    }
    if (same.size() < runs.size()) continue;
    ++shown;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const RunItem& item = *same[r];
      const std::string id = item.record.id + " · " + runs[r].name;
      if (runs[r].text()) {
        answers.each.push_back({id, r == 0 ? shortened(item.prompt, kMostLetters) : "",
                                item.record.text ? shortened(item.record.text->text, kMostLetters) : "",
                                said_of(item.record)});
      } else {
        gallery.pictures.push_back(thumbnail_of(runs[r], item));
        gallery.pictures.back().id = id;
        if (r > 0) gallery.pictures.back().prompt.clear();
      }
    }
  }
  if (shown == 0) return section;
  std::string caption = "The first " + count(shown, "item") + " that all runs have, run by run";
  const auto same_run = [&](const RunRecord& run) { return run.run_id == runs.front().run_id; };
  if (std::all_of(runs.begin(), runs.end(), same_run)) {
    caption += ". One run id: the same inputs and settings, so trireme verify should find no difference";
  }
  gallery.caption = answers.caption = caption;
  if (!gallery.pictures.empty()) section.blocks.push_back(std::move(gallery));
  if (!answers.each.empty()) section.blocks.push_back(std::move(answers));
  return section;
}

}  // namespace trireme::report
