# SPDX-License-Identifier: Apache-2.0
# What the scripts need on Debian 12 and its relatives; to be sourced.
build_packages="g++ make cmake libeigen3-dev libfmt-dev libhwy-dev libzip-dev libhdf5-dev librandom123-dev nlohmann-json3-dev libcli11-dev libdlpack-dev"
test_packages="python3-numpy libgtest-dev libbenchmark-dev libboost-dev librapidcheck-dev"
fuzz_packages="$test_packages clang-14 libclang-rt-14-dev"
peers_packages="libbenchmark-dev libarmadillo-dev python3-venv"
check_packages="clang-format-14 clang-tidy-14 util-linux"

# need_packages NAME...: installs those that are missing if it may, else says how and fails.
need_packages() {
  command -v dpkg-query >/dev/null || return 0  # not a Debian: CMake names what it misses
  local name missing=() as_root=()
  for name in "$@"; do
    [[ $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) == *" installed" ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    as_root=(sudo)
    if ! sudo -n true 2>/dev/null; then
      echo "Packages are missing. Please run: sudo apt-get install -y ${missing[*]}" >&2
      return 1
    fi
  fi
  echo "Installing: ${missing[*]}"
  "${as_root[@]}" apt-get -qq update </dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}
