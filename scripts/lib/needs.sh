# What Trireme needs of a machine beside torch and the CUDA compiler: how each is recognised and what it is called.
# Anything found (system, loaded module, CMAKE_PREFIX_PATH, CONDA_PREFIX) is used as it is.

# name | how it is recognised | Debian and Ubuntu packages | wheel | module | conda | Spack
readonly NEEDS='
C++ compiler >= 12 | cxx                                | g++                         |               | gcc       | gxx           | gcc
CMake >= 3.25      | cmake                              | cmake                       | cmake         | CMake     | cmake         | cmake
Ninja              | tool ninja                         | ninja-build                 | ninja         | Ninja     | ninja         | ninja
Python venv        | venv                               | python3-venv python3-pip    |               | Python    | python        | python
MPI                | mpi                                | libopenmpi-dev openmpi-bin  | openmpi       | OpenMPI   | openmpi       | openmpi
yaml-cpp           | library yaml-cpp/yaml.h yaml-cpp   | libyaml-cpp-dev             |               | yaml-cpp  | yaml-cpp      | yaml-cpp
spdlog             | library spdlog/version.h           | libspdlog-dev               |               | spdlog    | spdlog        | spdlog
nlohmann-json      | library nlohmann/json.hpp          | nlohmann-json3-dev          | nlohmann-json | nlohmann_json | nlohmann_json | nlohmann-json
CLI11              | library CLI/CLI.hpp                | libcli11-dev                |               | CLI11     | cli11         | cli11
PCRE2              | library pcre2.h pcre2-8            | libpcre2-dev                |               | PCRE2     | pcre2         | pcre2
utf8proc           | library utf8proc.h utf8proc        | libutf8proc-dev             |               | utf8proc  | libutf8proc   | utf8proc
libpng             | library png.h png                  | libpng-dev                  |               | libpng    | libpng        | libpng
libjpeg-turbo      | library jpeglib.h jpeg             | libjpeg-dev                 |               | libjpeg-turbo | libjpeg-turbo | libjpeg-turbo
GoogleTest         | library gmock/gmock.h gmock gtest_main | libgtest-dev libgmock-dev |             | googletest | gtest        | googletest
'
# Welcome, never missed: installed along where packages are installed at all.
readonly WELCOME='ccache ca-certificates git'

needs_names() { awk -F'|' 'NF > 1 {gsub(/^ +| +$/, "", $1); print $1}' <<<"$NEEDS"; }
needs_field() { # name, column
  awk -F'|' -v name="$1" -v column="$2" '{gsub(/^ +| +$/, "", $1)}
    $1 == name {gsub(/^ +| +$/, "", $column); print $column}' <<<"$NEEDS"
}

# Folders with include/ and lib/ that the compiler does not search by itself.
prefixes() {
  {
    tr ':;' '\n\n' <<<"${CMAKE_PREFIX_PATH:-}"
    say "${CONDA_PREFIX:-}"
    tr ':' '\n' <<<"${CPATH:-}" | sed -n 's|/include/*$||p'
    find "$cache/wheels/lib" -maxdepth 3 -name nlohmann_json 2>/dev/null || true
  } | awk 'NF && !seen[$0]++'
}

search_flags() {
  local prefix
  while read -r prefix; do
    printf -- '-I%s/include -L%s/lib -L%s/lib64 -L%s/lib/%s ' "$prefix" "$prefix" "$prefix" "$prefix" "$(uname -m)-linux-gnu"
  done < <(prefixes)
}

at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1) == "$1" ]]; } # wanted, found

have() { # name: is it on this machine?
  local how
  read -r -a how <<<"$(needs_field "$1" 2)"
  case ${how[0]} in
    cxx) at_least 12 "$("${CXX:-c++}" -dumpversion 2>/dev/null || say 0)" ;;
    cmake) at_least 3.25 "$(cmake --version 2>/dev/null | awk 'NR == 1 {print $3}')" ;;
    tool) command -v "${how[1]}" >/dev/null ;;
    venv) python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ;;
    mpi) command -v mpicc >/dev/null && command -v mpirun >/dev/null ;;
    library) have_library "${how[1]}" "${how[@]:2}" ;;
  esac
}

have_library() { # header, libraries…
  local header=$1 flags
  shift
  read -r -a flags <<<"$(search_flags)"
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$header" |
    "${CXX:-c++}" "${flags[@]}" -E -x c++ - >/dev/null 2>&1 || return 1
  (($# == 0)) || "${CXX:-c++}" -shared -o /dev/null -x c++ /dev/null -x none "${flags[@]}" "${@/#/-l}" 2>/dev/null
}

needs_missing() { # names, one a line
  local name
  while read -r name; do have "$name" || say "$name"; done < <(needs_names)
}

# How this user may install packages: empty when not at all.
installer() {
  command -v apt-get >/dev/null || return 0
  if [[ ${TRIREME_NO_ROOT:-} == 1 ]]; then
    return 0
  elif [[ $(id -u) == 0 ]]; then
    say env
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    say sudo -n env
  elif command -v sudo >/dev/null && [[ -t 0 && -t 2 ]]; then
    say sudo env  # asks for the password on the terminal
  fi
}

packages_of() { # names on stdin -> packages, one a line
  local name
  while read -r name; do needs_field "$name" 3; done | tr ' ' '\n' | awk 'NF'
}

wheels_of() { # names on stdin -> wheels, one a line
  local name
  while read -r name; do needs_field "$name" 4; done | awk 'NF'
}

install_packages() { # packages…
  local become
  read -r -a become <<<"$(installer)"
  "${become[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null
  "${become[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
    --no-install-recommends --no-upgrade "$@" </dev/null >/dev/null
}

install_wheels() { # wheels…
  [[ -x $cache/wheels/bin/python ]] || python3 -m venv "$cache/wheels"
  "$cache/wheels/bin/python" -m pip install --no-input --disable-pip-version-check "$@" </dev/null
}

explain_missing() { # names on stdin
  local name
  say "these are missing and could not be installed from here. Load or install them, then run the same command again;"
  say "folders named in CMAKE_PREFIX_PATH are searched."
  printf '%-19s %-28s %-14s %-14s %s\n' "" "Debian, Ubuntu" "module" "conda" "Spack"
  while read -r name; do
    printf '%-19s %-28s %-14s %-14s %s\n' "$name" "$(needs_field "$name" 3)" "$(needs_field "$name" 5)" \
      "$(needs_field "$name" 6)" "$(needs_field "$name" 7)"
  done
}
