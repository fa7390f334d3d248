#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits the costs of the CPU's model of a sweep (src/cost_model.cpp), and says how far it is off.

  bench/fit_cost_model.py measure CAVI RUNS.json     # one thread, some minutes
  bench/fit_cost_model.py fit RUNS.json              # writes src/cpu_costs.inc
  bench/fit_cost_model.py check CAVI OUT.json        # shapes that the fit has not seen, as a table and a file
  bench/fit_cost_model.py compare SWEEPS.json        # what sweep_bench wrote: where the model holds, and where not

Times are processor times of one thread, so that a busy machine disturbs little; they become multiply-adds by the peak
of the same run. Costs are the non-negative ones with the least squares of relative errors.
"""
import json
import os
import platform
import subprocess
import sys

TYPES = ["full", "tied", "diag", "spherical", "linear"]
PRECISIONS = ["float32", "float64"]
SHAPES = [(40000, 2), (40000, 8), (40000, 16), (20000, 32), (10000, 64), (1000, 2), (1000, 16), (1000, 64)]
FITTED = ["rows", "features", "components", "family", "covariance_type", "precision", "live_pairs",
          "processor_ms_per_sweep", "fma_peak_gflops", "load"]
CHECKED = [  # rows, features, components, arguments
    (200000, 16, 32, ["--covariance-type", "full"]), (200000, 64, 32, ["--covariance-type", "diag"]),
    (200000, 2, 16, ["--covariance-type", "full"]), (50000, 64, 64, ["--covariance-type", "full"]),
    (200000, 16, 32, ["--covariance-type", "tied"]), (200000, 16, 32, ["--covariance-type", "spherical"]),
    (200000, 16, 32, ["--family", "bernoulli"]), (200000, 16, 32, ["--family", "poisson"]),
    (200000, 16, 32, ["--family", "exponential"]), (200000, 16, 32, ["--precision", "float64"])]


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"


def bench(cavi, rows, features, components, *more, sweeps=5):
    command = [cavi, "bench", "--json", "--device", "cpu", "--threads", "1", "--max-iter", str(sweeps), "--rows",
               str(rows), "--features", str(features), "--n-components", str(components), *more]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for run in result["runs"]:
        for key in ("fma_peak_gflops", "read_bandwidth_gb_per_second"):
            run[key] = result[key]
        run["load"] = os.getloadavg()[0]
        run.update({key: float(f"{value:.6g}") for key, value in run.items() if isinstance(value, float)})
    return result["runs"]


def save(file, runs, **more):
    """One run in a line."""
    head = json.dumps({"machine": machine(), **more})[:-1]
    open(file, "w").write(head + ', "runs": [\n' + ",\n".join(json.dumps(r, sort_keys=True) for r in runs) + "]}\n")


def measure(cavi, file):
    runs = []
    for rows, features in SHAPES:
        for kind in ("overlapping", "separated"):
            for precision in PRECISIONS:
                for model in (["--covariance-type", "full,tied,diag,spherical"], ["--family", "poisson"]):
                    runs += bench(cavi, rows, features, "4,16,64", "--kind", kind, "--precision", precision, *model)
        print(rows, "x", features, file=sys.stderr)
    save(file, [{key: r[key] for key in FITTED if key in r} for r in runs])


def terms(run):
    """What the costs of src/cost_model.cpp are multiplied by, in their order."""
    n, d, k, live = run["rows"], run["features"], run["components"], run["live_pairs"]
    kind = run.get("covariance_type", "linear")
    cells = d * (d + 1) / 2 if kind in ("full", "tied") else 0
    pair_cells = 0 if kind == "tied" else cells
    cell = n * (cells if kind == "tied" else k * cells)
    return [n * k, n * k * d, cell, live * n * k * d, live * n * k * pair_cells, n, n * d, 1, k, 2 * k * d * cells]


def least_squares(rows, targets):
    """Non-negative costs by coordinate descent on the normal equations."""
    count = len(rows[0])
    scale = [max(sum(r[j] ** 2 for r in rows) ** 0.5, 1e-300) for j in range(count)]
    rows = [[r[j] / scale[j] for j in range(count)] for r in rows]
    gram = [[sum(r[i] * r[j] for r in rows) for j in range(count)] for i in range(count)]
    right = [sum(r[i] * t for r, t in zip(rows, targets)) for i in range(count)]
    x = [0.0] * count
    for _ in range(100000):
        for i in range(count):
            if gram[i][i] > 0:
                x[i] = max(0.0, x[i] + (right[i] - sum(g * v for g, v in zip(gram[i], x))) / gram[i][i])
    return [v / s for v, s in zip(x, scale)]


def fit(file):
    data = json.load(open(file))
    text = f"// Written by bench/fit_cost_model.py from {os.path.basename(file)}: {data['machine']}.\n"
    for precision in PRECISIONS:
        text += "{\n"
        for kind in TYPES:
            runs = [r for r in data["runs"] if r["precision"] == precision and r.get("covariance_type", "linear") == kind]
            spent = [r["processor_ms_per_sweep"] * 1e-3 * r["fma_peak_gflops"] * 1e9 / 2 for r in runs]
            costs = least_squares([[t / s for t in terms(r)] for r, s in zip(runs, spent)], [1.0] * len(runs))
            off = sorted(abs(sum(c * t for c, t in zip(costs, terms(r))) / s - 1) for r, s in zip(runs, spent))
            text += "    {" + ", ".join(f"{c:.3g}" for c in costs) + "},\n"
            print(f"{precision} {kind:9} off by {100 * off[len(off) // 2]:.0f} % (median), {100 * off[-1]:.0f} % (most)")
        text += "},\n"
    open(os.path.join(os.path.dirname(__file__), "..", "src", "cpu_costs.inc"), "w").write(text)


def check(cavi, file):
    runs = [run for rows, d, k, more in CHECKED for run in bench(cavi, rows, d, k, *more)]
    print(f"{machine()}\n{'shape':42} {'cpu ms':>9} {'predicted':>9} {'off':>6} {'load':>5}")
    for r in runs:
        shape = f"{r['rows']} x {r['features']}, K = {r['components']}, " + \
                f"{r.get('covariance_type', r['family'])} {r['precision']}"
        spent, predicted = r["processor_ms_per_sweep"], r["predicted_ms_per_sweep"]
        print(f"{shape:42} {spent:9.4g} {predicted:9.4g} {100 * (predicted / spent - 1):+5.0f}% {r['load']:5.1f}")
    save(file, runs)


def compare(file):
    data = json.load(open(file))
    threads = data["context"]["num_cpus"]
    off = [(r["predicted_ms_per_sweep"] / (r["processor_ms_per_sweep"] / threads), r["name"].split("/iterations")[0])
           for r in data["benchmarks"] if "predicted_ms_per_sweep" in r]
    within = sum(abs(ratio - 1) <= 0.25 for ratio, _ in off)
    print(f"{within} of {len(off)} sweeps within 25 %; not:")
    for ratio, name in sorted(off):
        if abs(ratio - 1) > 0.25:
            print(f"  {name}: predicted {ratio:.2f} of measured")


if __name__ == "__main__":
    {"measure": measure, "fit": fit, "check": check, "compare": compare}[sys.argv[1]](*sys.argv[2:])
