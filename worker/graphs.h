#pragma once
// CUDA graphs of work that is launched again and again with the same shapes: captured once, then replayed with one
// launch. The same kernels on the same shapes, so the same bits. A model owns one for each stream that its slices run
// on, as the graphs of one share their memory. On a CPU, and once a capture has failed, nothing is captured.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trireme {

class Graphs {
 public:
  /// At most `most` graphs are kept, those used last.
  Graphs(at::Device device, bool on, std::size_t most = 16);
  ~Graphs();
  Graphs(Graphs&&) noexcept;

  /// Whether work of this key, which must name all its shapes, is to go through `run`: from the second time on that it
  /// is asked, since most of what comes once does not come again.
  bool wants(const std::string& key);

  /// `body` must launch the same for the same key, read only the model's weights and what it is given, and neither wait
  /// for the device nor copy from the host.
  using Body = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;
  /// body(inputs), in stream order; a tensor of its own. The first call of a key runs the body and then captures it,
  /// which takes some milliseconds of host time; later ones replay it.
  at::Tensor run(const std::string& key, const std::vector<at::Tensor>& inputs, const Body& body);

  /// Device memory that the graphs hold.
  std::size_t bytes() const;

 private:
  struct Graph;
  struct Pool;
  std::unique_ptr<Graph> capture(const std::vector<at::Tensor>& inputs, const Body& body);
  void keep_most();

  const std::size_t most_;
  at::Device device_;
  bool on_;
  std::unique_ptr<Pool> pool_;
  std::map<std::string, int> asked_;
  std::list<std::pair<std::string, std::unique_ptr<Graph>>> graphs_;  // the one used last in front
  std::list<std::unique_ptr<Graph>> retired_;                         // perhaps still running
};

}  // namespace trireme
