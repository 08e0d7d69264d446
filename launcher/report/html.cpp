#include "launcher/report/html.h"

#include "common/utf8.h"
#include "launcher/report/base64.h"
#include "launcher/report/style.h"

namespace trireme::report {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kShort = 28;  // bytes of a cell that is not broken

/// Words of a user, whatever their direction: they turn nothing around them.
std::string isolated(std::string_view text, const char* more = "") {
  if (text.empty()) return "";
  return std::string("<bdi dir=\"auto\"") + more + ">" + escaped(text) + "</bdi>";
}

std::string figure_of(const Figure& block) {
  std::string text = "<figure>\n<figcaption>" + escaped(block.caption);
  if (!block.description.empty()) text += "<br>" + escaped(block.description);
  return text + "</figcaption>\n<div class=\"scroll\">" + block.svg + "</div>\n</figure>\n";
}

struct Writer {
  std::string out;

  void operator()(const Paragraph& block) {
    const std::string text = escaped(block.text);
    out += "<p>" + (block.strong ? "<strong>" + text + "</strong>" : text) + "</p>\n";
  }
  void operator()(const Bullets& block) {
    out += "<ul>\n";
    for (const std::string& line : block.lines) out += "<li>" + escaped(line) + "</li>\n";
    out += "</ul>\n";
  }
  void operator()(const Table& block) {
    const auto kind = [&](std::size_t column, const std::string& cell) {
      return block.columns[column].number ? "" : cell.size() <= kShort ? " class=\"text short\"" : " class=\"text\"";
    };
    out += "<div class=\"scroll\"><table>\n<caption>" + escaped(block.caption) + "</caption>\n<thead><tr>";
    for (std::size_t i = 0; i < block.columns.size(); ++i) {
      out += std::string("<th scope=\"col\"") + kind(i, block.columns[i].head) + ">" + escaped(block.columns[i].head) +
             "</th>";
    }
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : block.rows) {
      out += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string tag = i == 0 ? "th" : "td";
        out += "<" + tag + (i == 0 ? " scope=\"row\"" : "") + kind(i, row[i]) + ">";
        out += (block.columns[i].number ? escaped(row[i]) : isolated(row[i])) + "</" + tag + ">";
      }
      out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
  }
  void operator()(const Figure& block) { out += figure_of(block); }
  void operator()(const Figures& block) {
    out += "<p>" + escaped(block.caption) + "</p>\n<div class=\"small" + (block.large ? " large" : "") + "\">\n";
    for (const Figure& each : block.each) out += figure_of(each);
    out += "</div>\n";
  }
  void operator()(const Gallery& block) {
    out += "<p>" + escaped(block.caption) + "</p>\n<ul class=\"gallery\">\n";
    for (const Thumbnail& each : block.pictures) {
      out += "<li><figure><div class=\"cell\">";
      if (each.png.empty()) {
        out += "<span class=\"none\">" + escaped(each.note.empty() ? "no picture" : each.note) + "</span>";
      } else {
        const std::string alt = each.prompt.empty() ? "picture " + each.id : each.prompt;
        out += "<img alt=\"" + escaped(alt) + "\" width=\"" + std::to_string(each.width) + "\" height=\"" +
               std::to_string(each.height) + "\" src=\"data:image/png;base64," + base64(each.png) + "\">";
      }
      out += "</div><figcaption><span class=\"id\">" + escaped(each.id) + "</span> " + isolated(each.prompt);
      if (!each.png.empty() && !each.note.empty()) out += " <span class=\"note\">" + escaped(each.note) + "</span>";
      out += "</figcaption></figure></li>\n";
    }
    out += "</ul>\n";
  }
  void operator()(const Answers& block) {
    out += "<p>" + escaped(block.caption) + "</p>\n<ul class=\"answers\">\n";
    for (const Answer& each : block.each) {
      out += "<li><span class=\"id\">" + escaped(each.id) + "</span> " + isolated(each.prompt, " class=\"asked\"");
      if (!each.text.empty()) out += "<div class=\"said\" dir=\"auto\">" + escaped(each.text) + "</div>";
      if (!each.note.empty()) out += "<div class=\"note\">" + escaped(each.note) + "</div>";
      out += "</li>\n";
    }
    out += "</ul>\n";
  }
  void operator()(const Listing& block) {
    out += "<details><summary>" + escaped(block.caption) + "</summary>\n<pre>" + escaped(block.text) +
           "</pre></details>\n";
  }
};

std::string figures_of(const Chapter& chapter) {
  if (chapter.figures.empty()) return "";
  std::string text = "<dl class=\"figures\">\n";
  for (const KeyFigure& figure : chapter.figures) {
    text += "<div><dt>" + escaped(figure.name) + "</dt><dd>" + escaped(figure.value) + "</dd></div>\n";
  }
  return text + "</dl>\n";
}

std::string chapter_of(const Chapter& chapter, std::size_t number) {
  const auto anchor = [&](std::size_t section) { return "c" + std::to_string(number) + "s" + std::to_string(section); };
  const std::string level = number == 0 ? "h2" : "h3";  // below the page's title, or the chapter's
  Writer writer;
  if (!chapter.subtitle.empty()) writer.out += "<p class=\"sub\">" + escaped(chapter.subtitle) + "</p>\n";
  writer.out += figures_of(chapter);
  writer.out += "<nav aria-label=\"" + escaped("sections of " + chapter.title) + "\"><ul>\n";
  for (std::size_t i = 0; i < chapter.sections.size(); ++i) {
    writer.out += "<li><a href=\"#" + anchor(i) + "\">" + escaped(chapter.sections[i].title) + "</a></li>\n";
  }
  writer.out += "</ul></nav>\n";
  for (std::size_t i = 0; i < chapter.sections.size(); ++i) {
    const Section& section = chapter.sections[i];
    writer.out += "<section aria-labelledby=\"" + anchor(i) + "\">\n<" + level + " class=\"section\" id=\"" +
                  anchor(i) + "\">" + escaped(section.title) + "</" + level + ">\n";
    for (const Block& block : section.blocks) std::visit(writer, block);
    writer.out += "</section>\n";
  }
  return writer.out;
}

}  // namespace

std::string escaped(std::string_view text) {
  const std::string valid = replace_invalid_utf8(text);
  std::string out;
  out.reserve(valid.size());
  for (std::size_t at = 0; at < valid.size();) {
    const std::size_t start = at;
    const char32_t c = next_code_point(valid, at);
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: {
        const bool control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0);
        out += control ? kReplacement : valid.substr(start, at - start);
      }
    }
  }
  return out;
}

std::string to_html(const Document& document) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      // Even if something slipped through the escaping: nothing runs, nothing is fetched.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'\">\n<title>" +
      escaped(document.title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main>\n<h1>" +
      escaped(document.title) + "</h1>\n";
  for (std::size_t i = 0; i < document.chapters.size(); ++i) {
    const Chapter& chapter = document.chapters[i];
    if (i == 0) {
      page += chapter_of(chapter, i);
    } else {
      page += "<details class=\"chapter\"><summary><h2>" + escaped(chapter.title) + "</h2></summary>\n" +
              chapter_of(chapter, i) + "</details>\n";
    }
  }
  return page + "<footer>" + escaped(document.footer) + "</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace trireme::report
