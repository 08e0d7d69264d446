#include "worker/weights/accounting.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/errors.h"
#include "common/log.h"
#include "common/utf8.h"
#include "worker/transport/wire.h"

namespace trireme {
namespace {

constexpr std::size_t kProblemsShown = 20;

enum Mark : std::uint8_t { unknown = 0, skipped = 1, wanted_by_a_rank = 2 };

struct Account {
  std::vector<std::uint8_t> marks;    // one a tensor
  std::vector<std::string> problems;  // of this rank's wants
};

std::optional<at::ScalarType> find_scalar_type(const std::string& dtype) {
  if (dtype == "F32") return at::kFloat;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "F16") return at::kHalf;
  return std::nullopt;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// The folder a part lies in, which may have another name than the part.
std::string folder_of(const std::string& name, const ModelPart& part) {
  const std::string folder = std::filesystem::path(part.config_file).parent_path().string();
  return folder.empty() ? name : folder;
}

/// "transformer/model.safetensors: layers.0.weight"
std::string place(const FileTensor& tensor) {
  return folder_of(*tensor.part, *tensor.files) + "/" + std::filesystem::path(tensor.file()).filename().string() +
         ": " + printable(tensor.entry->name, 200);
}

/// Where a tensor of the part should have been: its file, or that it has several.
std::string place_of_missing(const std::string& name, const ModelPart& part) {
  const std::string folder = folder_of(name, part);
  if (part.shards.size() != 1) return folder + " (" + std::to_string(part.shards.size()) + " files)";
  return folder + "/" + std::filesystem::path(part.shards[0]).filename().string();
}

void check_rows(const Parameters::Want& want) {
  const std::int64_t rows = want.shape.empty() ? 1 : want.shape[0];
  if (want.slot == nullptr || want.first_row < 0 || want.rows < 0 || want.rows > rows ||
      want.first_row > rows - want.rows) {
    throw Error(ExitCode::internal, "the model wants rows of " + want.name + " that it does not have");
  }
}

/// What is wrong with this want of this tensor, empty if nothing.
std::string problem_of(const FileTensor& tensor, const Parameters::Want& want) {
  if (tensor.entry->shape != want.shape) {
    return place(tensor) + " has shape " + shape_text(tensor.entry->shape) + ", not " + shape_text(want.shape);
  }
  if (!find_scalar_type(tensor.entry->dtype)) {
    return place(tensor) + " is " + tensor.entry->dtype + ", not F32, BF16 or F16";
  }
  return "";
}

/// The same on every rank, also where a rank wants nothing of a part.
std::vector<FileTensor> list_tensors(const ModelFiles& files) {
  std::vector<FileTensor> tensors;
  for (const auto& [name, part] : files.parts) {
    for (const TensorEntry& entry : part.tensors) tensors.push_back({&name, &part, &entry, {}});
  }
  return tensors;
}

Account take_account(const ModelFiles& files, std::vector<FileTensor>& tensors, const PartParameters& wanted) {
  Account account{std::vector<std::uint8_t>(tensors.size(), unknown), {}};
  for (const auto& [part, parameters] : wanted) {
    const ModelPart& listed = files.part(part);  // throws where the folder has no such part
    std::unordered_map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (*tensors[i].part == part) index.emplace(tensors[i].entry->name, i);
    }
    for (const Parameters::Skip& skip : parameters.skips()) {
      for (const auto& [name, i] : index) {
        if (name.starts_with(skip.prefix)) account.marks[i] = skipped;
      }
    }
    for (const Parameters::Want& want : parameters.wants()) {
      check_rows(want);
      const auto found = index.find(want.name);
      if (found == index.end()) {
        account.problems.push_back(place_of_missing(part, listed) + ": " + want.name + " is missing");
        continue;
      }
      FileTensor& tensor = tensors[found->second];
      tensor.wants.push_back(&want);
      account.marks[found->second] = wanted_by_a_rank;
      if (std::string problem = problem_of(tensor, want); !problem.empty()) account.problems.push_back(problem);
    }
  }
  return account;
}

Bytes encode(const Account& account) {
  wire::Writer out;
  out.number<std::uint64_t>(account.marks.size());
  for (const std::uint8_t mark : account.marks) out.number(mark);
  out.number<std::uint64_t>(account.problems.size());
  for (const std::string& problem : account.problems) out.text(problem);
  return out.take();
}

Account decode(const Bytes& bytes, std::size_t tensors) {
  wire::Reader in(bytes, "a rank's wants");
  Account account;
  account.marks.resize(in.count(1));
  if (account.marks.size() != tensors) in.fail("marks of " + std::to_string(tensors) + " tensors");
  for (std::uint8_t& mark : account.marks) mark = in.number<std::uint8_t>();
  account.problems.resize(in.count(sizeof(std::uint64_t)));
  for (std::string& problem : account.problems) problem = in.text();
  in.end();
  return account;
}

/// Rank 0: the largest mark of any rank for each tensor, every problem once.
Account join(const std::vector<Bytes>& accounts, std::size_t tensors) {
  Account all{std::vector<std::uint8_t>(tensors, unknown), {}};
  std::set<std::string> seen;
  for (const Bytes& bytes : accounts) {
    const Account one = decode(bytes, tensors);
    for (std::size_t i = 0; i < tensors; ++i) all.marks[i] = std::max(all.marks[i], one.marks[i]);
    for (const std::string& problem : one.problems) {
      if (seen.insert(problem).second) all.problems.push_back(problem);
    }
  }
  return all;
}

void refuse_problems(const ModelFiles& files, const std::vector<FileTensor>& tensors, Account& all) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (all.marks[i] == unknown) all.problems.push_back(place(tensors[i]) + " is not part of the model");
  }
  if (all.problems.empty()) return;
  std::string message = files.folder.string() + ": " + std::to_string(all.problems.size()) +
                        " tensors do not fit; is it a checkpoint of this model, and complete? ";
  for (std::size_t i = 0; i < std::min(all.problems.size(), kProblemsShown); ++i) {
    message += (i > 0 ? "; " : "") + all.problems[i];
  }
  if (all.problems.size() > kProblemsShown) {
    message += "; and " + std::to_string(all.problems.size() - kProblemsShown) + " more";
  }
  throw Error(ExitCode::bad_data, message);
}

void log_skips(const PartParameters& wanted, const std::vector<FileTensor>& tensors, const Account& all) {
  for (const auto& [part, parameters] : wanted) {
    for (const Parameters::Skip& skip : parameters.skips()) {
      std::size_t count = 0;
      std::uint64_t bytes = 0;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (all.marks[i] != skipped || *tensors[i].part != part || !tensors[i].entry->name.starts_with(skip.prefix))
          continue;
        ++count;
        bytes += tensors[i].entry->bytes;
      }
      if (count == 0) continue;
      log::info(
          "tensors not read",
          {{"part", part}, {"prefix", skip.prefix}, {"tensors", count}, {"bytes", bytes}, {"reason", skip.reason}});
    }
  }
}

}  // namespace

at::ScalarType scalar_type(const std::string& dtype) {
  const std::optional<at::ScalarType> found = find_scalar_type(dtype);
  if (!found) throw Error(ExitCode::internal, "a tensor of dtype " + dtype + " passed the check of the checkpoint");
  return *found;
}

std::vector<FileTensor> account(const ModelFiles& files, const PartParameters& wanted, Transport& transport) {
  std::vector<FileTensor> tensors = list_tensors(files);
  const std::vector<Bytes> accounts = transport.gather(encode(take_account(files, tensors, wanted)), 0);
  Account all;
  if (transport.rank() == 0) {
    all = join(accounts, tensors.size());
    refuse_problems(files, tensors, all);
    log_skips(wanted, tensors, all);
  }
  all = decode(transport.broadcast(encode(all), 0), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].read = all.marks[i] == wanted_by_a_rank;
  return tensors;
}

}  // namespace trireme
