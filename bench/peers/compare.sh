#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Times a sweep of cavi beside scikit-learn and Armadillo on this machine and writes build/peers/peers.{md,json,svg}.
# Options go to compare.py: --rows-scale 0.02 for a first look, --only TEXT, --pairs N, --peers A,B, --out PREFIX.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/scripts/packages.sh"
need_packages $build_packages $peers_packages
build=$root/build/peers
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCAVI_CUDA=OFF -DCAVI_BUILD_TESTS=OFF \
  -DCAVI_BUILD_EXAMPLES=OFF -DCAVI_BUILD_BENCHMARKS=ON >/dev/null
cmake --build "$build" -j"$(nproc)" --target peers
[[ -x $build/venv/bin/python ]] || python3 -m venv "$build/venv"
"$build/venv/bin/pip" install --quiet scikit-learn numpy threadpoolctl
exec "$build/venv/bin/python" "$root/bench/peers/compare.py" --binaries "$build/bench/peers" --out "$build/peers" "$@"
