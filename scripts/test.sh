#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds everything as it is shipped and runs every test. Arguments go to CMake.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
need_packages $build_packages $test_packages

cmake --preset release -DCAVI_BUILD_BENCHMARKS=ON "$@"
cmake --build --preset release -j"$(nproc)"
ctest --preset release -j"$(nproc)" --no-label-summary
