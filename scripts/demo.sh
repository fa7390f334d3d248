#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the cavi command and fits a mixture to the Old Faithful eruptions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
need_packages $build_packages

cmake -S . -B build/demo -DCAVI_BUILD_TESTS=OFF -DCAVI_BUILD_EXAMPLES=OFF >/dev/null
cmake --build build/demo -j"$(nproc)" --target cavi_cli

set -x
build/demo/cavi fit tests/data/faithful.csv --n-components 6 --max-iter 500 --seed 1
