#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stream.sh CAVI MAKE_ROWS ROWS LIMIT [FOLDER]: fits a file of ROWS x 16 float32 numbers under an address space of
# LIMIT kilobytes, then without a limit and in memory; the results must be equal to the last bit. The large case by
# hand: tests/large/stream.sh build/release/cavi build/release/tests/make_rows 62500000 1048576
set -euo pipefail
cavi=$1 make_rows=$2 rows=$3 limit=$4
folder=$(mktemp -d -p "${5:-${TMPDIR:-/tmp}}")
trap 'rm -r "$folder"' EXIT
file=$folder/x.npy
"$make_rows" "$file" "$rows"

# Everything that is reported but the clock.
fit() {
  "$cavi" fit "$file" --n-components 4 --init random-from-data --max-iter 3 --tol 0 --json "$@" |
    sed -E 's/"(seconds|rows_per_second)":[^,}]*//g'
}

evict() { sync "$file" && dd if="$file" iflag=nocache count=0 status=none; }  # where the kernel follows
echo "reading the file once:" && evict && time dd if="$file" of=/dev/null bs=4M status=none
echo "streamed, $limit kB of address space:" && evict && time (ulimit -v "$limit" && fit > "$folder/streamed")
echo "in memory:" && time fit --memory 1T > "$folder/whole"
cmp "$folder/streamed" "$folder/whole"
echo "$rows rows: streamed and in memory agree"
