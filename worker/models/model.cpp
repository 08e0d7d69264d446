#include "worker/models/model.h"

namespace trireme {

const char* name(Phase phase) {
  switch (phase) {
    case Phase::encode: return "encode";
    case Phase::denoise: return "denoise";
    case Phase::decode: return "decode";
  }
  return "?";
}

}  // namespace trireme
