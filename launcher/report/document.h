#pragma once
// A report before it is a page: sections of paragraphs, tables, figures, pictures. Plain data; html.h and markdown.h
// write it. All text is as it is: the writers escape it.

#include <string>
#include <variant>
#include <vector>

namespace trireme::report {

struct Paragraph {
  std::string text;
  bool strong = false;
};

struct Bullets {
  std::vector<std::string> lines;
};

struct Column {
  std::string head;
  bool number = true;
};
struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // as many cells as columns; the first one heads the row
};

/// Inline SVG, made by charts.h: its text is escaped already. `description` says in words what it shows.
struct Figure {
  std::string caption, description, svg;
};
/// Small figures side by side.
struct Figures {
  std::string caption;
  std::vector<Figure> each;
  bool large = false;  // two in a row
};

struct Thumbnail {
  std::string id, prompt, note;  // note: why there is no picture, or what is odd about it
  std::string png;               // bytes; empty: none
  int width = 0, height = 0;     // of the thumbnail
};
struct Gallery {
  std::string caption;
  std::vector<Thumbnail> pictures;
};

struct Answer {
  std::string id, prompt, text, note;
};
struct Answers {
  std::string caption;
  std::vector<Answer> each;
};

/// Text of a file, as it is.
struct Listing {
  std::string caption, text;
};

using Block = std::variant<Paragraph, Bullets, Table, Figure, Figures, Gallery, Answers, Listing>;

struct Section {
  std::string title;
  std::vector<Block> blocks;
};

/// One number that matters, on top of the page.
struct KeyFigure {
  std::string value, name;
};

/// A run, or what several runs are worth side by side.
struct Chapter {
  std::string title, subtitle;
  std::vector<KeyFigure> figures;
  std::vector<Section> sections;
};

struct Document {
  std::string title;
  std::vector<Chapter> chapters;  // those behind the first are folded away
  std::string footer;
};

}  // namespace trireme::report
