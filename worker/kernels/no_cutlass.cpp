// In the place of the kernels that want CUTLASS, in builds without it.
#include "worker/kernels/launch.h"

namespace trireme::kernels {

cudaError_t launch_gated_product(const GatedProductLaunch&, cudaStream_t) { return cudaErrorNotSupported; }

cudaError_t launch_hopper_attention(const HopperAttentionLaunch&, cudaStream_t) { return cudaErrorNotSupported; }

const char* cutlass_version() { return ""; }

}  // namespace trireme::kernels
