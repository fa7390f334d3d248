#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How time and memory of a sweep grow with rows N, components K and statistics per component P, over two decades each.

  bench/growth.py CAVI OUT.json

Exponents are slopes of log(time) over log(N), log(K) and log(P), by least squares; times are processor times of one
thread. Fits start from random responsibilities and it is the second sweep that counts: later ones have emptied
components, which cost less, and the more so the more there are. Memory is the peak of the process less the rows, which
should not depend on N.
"""
import math
import sys

from fit_cost_model import bench, save

TYPES = ["full", "tied", "diag", "spherical"]
ROWS = [10000, 31600, 100000, 316000, 1000000]
COMPONENTS = [64, 200, 640, 2000, 6400]  # fewer leave a row's own costs in sight
FEATURES = {"full": [16, 28, 51, 91, 162],  # P = 153 ... 13366
            "diag": [16, 50, 160, 506, 1600]}  # P = 33 ... 3201


def slope(x, y):
    x, y = [math.log(v) for v in x], [math.log(v) for v in y]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def statistics(run):
    return run["gflops"] * 1e6 * run["ms_per_sweep_median"] / (4 * run["rows"] * run["components"])


def main(cavi, file):
    runs, table = [], {}
    for kind in TYPES:
        of_type = ["--covariance-type", kind, "--init", "random"]
        series = {"N": [bench(cavi, n, 16, 16, *of_type, sweeps=2)[0] for n in ROWS],
                  "K": bench(cavi, 4000, 16, ",".join(map(str, COMPONENTS)), *of_type, sweeps=2)}
        if kind in FEATURES:
            series["P"] = [bench(cavi, 10000, d, 16, *of_type, sweeps=2)[0] for d in FEATURES[kind]]
        sizes = {"N": lambda r: r["rows"], "K": lambda r: r["components"], "P": statistics}
        table[kind] = {name: slope([sizes[name](r) for r in s], [r["processor_ms_per_sweep"] for r in s])
                       for name, s in series.items()}
        beside = [(r["peak_memory_bytes"] - 4 * r["rows"] * r["features"]) / 2**20 for r in series["N"]]
        table[kind]["MiB beside the rows"] = {r["rows"]: b for r, b in zip(series["N"], beside)}
        runs += [r for s in series.values() for r in s]
        print(f"{kind:10}" + "  ".join(f"{n} ^ {table[kind][n]:.3f}" for n in series) +
              "   MiB beside the rows: " + ", ".join(f"{b:.1f}" for b in beside), flush=True)
    save(file, runs, exponents=table)


if __name__ == "__main__":
    main(*sys.argv[1:])
