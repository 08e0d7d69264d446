#include "launcher/report/markdown.h"

#include <algorithm>

#include "common/utf8.h"

namespace trireme::report {
namespace {

struct Writer {
  std::string out;

  void line(const std::string& text) { out += text + "\n\n"; }

  void operator()(const Paragraph& block) {
    const std::string text = markdown_escaped(block.text);
    line(block.strong ? "**" + text + "**" : text);
  }
  void operator()(const Bullets& block) {
    for (const std::string& text : block.lines) out += "- " + markdown_escaped(text) + "\n";
    out += "\n";
  }
  void row(const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) out += "| " + markdown_escaped(cell) + " ";
    out += "|\n";
  }
  void operator()(const Table& block) {
    line(markdown_escaped(block.caption) + ":");
    std::vector<std::string> heads;
    std::string rule;
    for (const Column& column : block.columns) {
      heads.push_back(column.head);
      rule += column.number ? "|---:" : "|---";
    }
    row(heads);
    out += rule + "|\n";
    for (const auto& cells : block.rows) row(cells);
    out += "\n";
  }
  void operator()(const Figure& block) {
    line("_" + markdown_escaped(block.caption + ". " + block.description + " (Drawn in report.html.)") + "_");
  }
  void operator()(const Figures& block) {
    line(markdown_escaped(block.caption) + ":");
    for (const Figure& each : block.each) {
      out += "- " + markdown_escaped(each.caption + ": " + each.description) + "\n";
    }
    out += "\n";
  }
  void operator()(const Gallery& block) {
    line(markdown_escaped(block.caption) + " (pictures are in report.html):");
    for (const Thumbnail& each : block.pictures) {
      out += "- " + markdown_escaped(each.id + ": " + each.prompt + (each.note.empty() ? "" : " [" + each.note + "]")) +
             "\n";
    }
    out += "\n";
  }
  void operator()(const Answers& block) {
    line(markdown_escaped(block.caption) + ":");
    for (const Answer& each : block.each) {
      out += "- **" + markdown_escaped(each.id) + "** " + markdown_escaped(each.prompt) + "\n  — " +
             markdown_escaped(each.text.empty() ? each.note : each.text) + "\n";
    }
    out += "\n";
  }
  void operator()(const Listing& block) {
    std::size_t longest = 0, run = 0;
    for (const char c : block.text) {
      run = c == '`' ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
    line(markdown_escaped(block.caption) + ":");
    out += fence + "\n" + replace_invalid_utf8(block.text) + (block.text.ends_with('\n') ? "" : "\n") + fence + "\n\n";
  }
};

}  // namespace

std::string markdown_escaped(std::string_view text) {
  std::string out;
  for (const char c : replace_invalid_utf8(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (std::string_view("\\`*_[]|~#>$").find(c) != std::string_view::npos) {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

std::string to_markdown(const Document& document) {
  Writer writer;
  writer.line("# " + markdown_escaped(document.title));
  for (const Chapter& chapter : document.chapters) {
    if (document.chapters.size() > 1) writer.line("## " + markdown_escaped(chapter.title));
    if (!chapter.subtitle.empty()) writer.line(markdown_escaped(chapter.subtitle));
    for (const KeyFigure& figure : chapter.figures) {
      writer.out += "- **" + markdown_escaped(figure.value) + "** " + markdown_escaped(figure.name) + "\n";
    }
    if (!chapter.figures.empty()) writer.out += "\n";
    for (const Section& section : chapter.sections) {
      writer.line((document.chapters.size() > 1 ? "### " : "## ") + markdown_escaped(section.title));
      for (const Block& block : section.blocks) std::visit(writer, block);
    }
  }
  writer.line(markdown_escaped(document.footer));
  writer.out.pop_back();
  return writer.out;
}

}  // namespace trireme::report
