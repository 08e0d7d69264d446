# Sourced by every script: pinned versions, folders, jobs and plain messages.

readonly TORCH_VERSION=2.11.0
readonly TORCH_CUDA=13.0  # what the pinned torch is built with; the CUDA compiler is of the same series

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${TRIREME_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set it or TRIREME_CACHE}/.cache}/trireme}
readonly root cache

say() { printf '%s\n' "$*"; }
die() { # code, message
  local code=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$code"
}

# Compilers started at once: a file that includes LibTorch takes up to 2 GB.
jobs() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemTotal/ {print $2}' /proc/meminfo)
  by_memory=$((memory_kb / 2000000))
  ((by_memory < 1)) && by_memory=1
  ((by_memory < cores)) && say "$by_memory" || say "$cores"
}

free_mb() { # a folder that need not exist yet
  local folder=$1
  while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
  df -Pm "$folder" | awk 'NR == 2 {print $4}'
}

# Open MPI refuses root unless it is told twice; containers are root.
if [[ $(id -u) == 0 ]]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# Tools from PyPI (scripts/lib/needs.sh) stand behind those of the machine.
export PATH="$PATH:$cache/wheels/bin"
