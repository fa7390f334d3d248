#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seconds per sweep of cavi beside scikit-learn's and Armadillo's mixtures; compare.sh prepares and calls it.

Every library starts from the same labels of the same float32 rows and does the same number of sweeps. Measurements
alternate: cavi, peer, cavi, peer, ...; a ratio is that of two neighbours. Only sweeps count: scikit-learn and cavi are
timed from the end of the first sweep to the end of the last, Armadillo and batches as the difference of two numbers of
sweeps. On one thread it is the processor's time, on all of them time on the wall.

The time to a bound is the wall time of a fit, from the call, on all threads, until the bound is within 1e-6 of the best
that hundreds of sweeps reach. Only scikit-learn's full mixture makes the same sweeps, so that it has that bound after as
many of them as cavi in float64.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass

import numpy as np
import report
import sklearn
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from threadpoolctl import threadpool_info, threadpool_limits

warnings.filterwarnings("ignore", category=sklearn.exceptions.ConvergenceWarning)


@dataclass
class Shape:
    type: str
    rows: int
    features: int
    components: int
    fits: int = 1
    pairs: int = 3
    sweeps: int = 3
    to_bound: bool = False  # scikit-learn needs minutes for other shapes

    def name(self):
        fits = f"{self.fits:,} fits of " if self.fits > 1 else ""
        rows = f"{self.rows // 1000}k" if self.rows % 1000 == 0 and self.fits == 1 else f"{self.rows:,}"
        return f"{fits}{rows} x {self.features}, K = {self.components}, {self.type}"


SHAPES = [
    Shape("full", 200_000, 2, 16, pairs=7, sweeps=5, to_bound=True),
    Shape("tied", 200_000, 16, 32),
    Shape("spherical", 200_000, 16, 32),
    Shape("diag", 200_000, 64, 32),
    Shape("full", 1_000, 8, 8, fits=1_000, pairs=7, sweeps=10),
    Shape("full", 200_000, 16, 32, sweeps=2, to_bound=True),
    Shape("full", 50_000, 64, 64, sweeps=2),
]
BOUND_SWEEPS = 500  # after which the bound counts as the best
CLOSE = 1e-6  # relative distance to the best
LOOPED_FITS = 10  # so many of a batch's fits are run by scikit-learn, and counted as all of them
ESTIMATORS = {"BayesianGaussianMixture": BayesianGaussianMixture, "GaussianMixture": GaussianMixture}
ALL_PEERS = [*ESTIMATORS, "Armadillo"]


@dataclass
class Data:
    shape: Shape
    rows: pathlib.Path
    start: pathlib.Path
    x: np.ndarray
    labels: np.ndarray


def make_data(folder, shape):
    """Overlapping clusters, so that no responsibility is negligible; the start is the cluster of each row."""
    rng = np.random.default_rng(1)
    n = shape.rows * shape.fits
    labels = rng.integers(0, shape.components, n).astype(np.int32)
    centres = 1.5 * rng.standard_normal((shape.components, shape.features)) / max(1, shape.features / 8) ** 0.5
    x = (centres[labels] + rng.standard_normal((n, shape.features))).astype(np.float32)
    start = labels if shape.fits == 1 else np.arange(shape.fits + 1, dtype=np.int64) * shape.rows
    np.save(folder / "x.npy", x)
    np.save(folder / "start.npy", start)
    return Data(shape, folder / "x.npy", folder / "start.npy", x.astype(np.float64), labels)


def run_json(command, **environment):
    done = subprocess.run([str(c) for c in command], env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def run_cavi(kind, binaries, data, precision, threads, sweeps):
    s = data.shape
    return run_json([binaries / "peers_cavi", kind, data.rows, data.start, s.type, s.components, precision, threads, sweeps])


def time_cavi(binaries, data, precision, threads):
    return run_cavi("batch" if data.shape.fits > 1 else "fit", binaries, data, precision, threads, data.shape.sweeps)


def time_armadillo(binaries, data, threads):
    s = data.shape
    command = [binaries / "peers_armadillo", data.rows, data.start, s.type, s.components, s.sweeps - 1]
    return run_json(command, OMP_NUM_THREADS=str(threads))


def stamped(estimator):
    """The estimator with its start given by labels, noting both clocks after every sweep."""

    class Stamped(estimator):
        def _initialize_parameters(self, X, random_state, xp=None):
            if self.start is None:
                return super()._initialize_parameters(X, random_state, xp=xp)
            resp = np.zeros((len(X), self.n_components))
            resp[np.arange(len(X)), self.start] = 1
            self._initialize(X, resp)

        def _print_verbose_msg_iter_end(self, n_iter, diff_ll):
            self.stamps.append((time.perf_counter(), time.process_time()))

    return Stamped


def stamped_model(name, s, sweeps):
    return stamped(ESTIMATORS[name])(
        n_components=s.components, covariance_type=s.type, tol=0, max_iter=sweeps, init_params="random_from_data", random_state=0
    )


def time_sklearn(name, data, threads):
    s = data.shape
    model = stamped_model(name, s, s.sweeps)
    fits = min(LOOPED_FITS, s.fits) if s.fits > 1 else 1
    total = np.zeros(2)
    with threadpool_limits(threads):
        for b in range(fits):
            model.start = data.labels if s.fits == 1 else None
            model.stamps = []
            model.fit(data.x[b * s.rows : (b + 1) * s.rows])
            total += np.subtract(model.stamps[-1], model.stamps[0]) / (s.sweeps - 1)
    wall, cpu = total * (s.fits / fits)
    return {"wall": wall, "cpu": cpu, "means": model.means_, "covariances": model.covariances_}


def disagreement(ours, theirs):
    """Largest difference of the means after the last sweep, in standard deviations of the component."""
    means = np.reshape(ours["means"], theirs["means"].shape)
    k, d = means.shape
    deviations = np.sqrt(np.diagonal(np.reshape(ours["covariances"], (k, d, d)), axis1=1, axis2=2))
    return float(np.max(np.abs(means - theirs["means"]) / deviations))


def time_to_bound(binaries, data, threads):
    """Seconds and sweeps of both precisions and of scikit-learn until the bound is close to the best."""
    runs = {p: run_cavi("bound", binaries, data, p, threads, BOUND_SWEEPS) for p in ("float32", "float64")}
    best = max(max(r["bound"]) for r in runs.values())
    out = {"best": best}
    for p, r in runs.items():
        sweeps = next(i for i, b in enumerate(r["bound"]) if best - b <= CLOSE * abs(best))
        out[p] = {"sweeps": max(1, sweeps), "seconds": r["wall"][max(1, sweeps) - 1]}
    sweeps = out["float64"]["sweeps"]
    model = stamped_model("BayesianGaussianMixture", data.shape, sweeps)
    model.start, model.stamps = data.labels, []
    with threadpool_limits(threads):
        begin = time.perf_counter()
        model.fit(data.x)
    ours = run_cavi("bound", binaries, data, "float64", threads, sweeps)
    differs_by = disagreement(ours, {"means": model.means_})
    out["peer"] = {"sweeps": sweeps, "seconds": model.stamps[-1][0] - begin, "differs_by": differs_by}
    print(f"  time to a bound: {out['peer']['seconds'] / out['float32']['seconds']:.1f} times, {sweeps} sweeps", flush=True)
    return out


def measure(binaries, data, peers, threads, pairs):
    """One entry per peer: lists of seconds per sweep, one number per pair."""
    s, out = data.shape, []
    for peer in peers:
        if peer == "Armadillo" and (s.fits > 1 or s.type not in ("full", "diag")):
            continue
        label = f"gmm_{s.type}" if peer == "Armadillo" else peer
        entry = {"peer": label, "differs_by": None}
        shares = []  # of the processors' time that cavi got on all threads: less than 1 when others take it
        for key, clock, n in (("one_thread_cpu", "cpu", 1), ("all_threads_wall", "wall", threads)):
            columns = {"float32": [], "float64": [], "peer": []}
            for _ in range(pairs):
                ours = {p: time_cavi(binaries, data, p, n) for p in ("float32", "float64")}
                theirs = time_armadillo(binaries, data, n) if peer == "Armadillo" else time_sklearn(peer, data, n)
                for p in ours:
                    columns[p].append(ours[p][clock])
                    if n == threads:
                        shares.append(ours[p]["cpu"] / (ours[p]["wall"] * n))
                columns["peer"].append(theirs[clock])
                if peer == "BayesianGaussianMixture" and s.fits == 1 and s.type == "full":
                    entry["differs_by"] = disagreement(ours["float64"], theirs)
                entry["version"] = theirs.get("version", sklearn.__version__)
            ratios = {p: [b / a for a, b in zip(columns[p], columns["peer"])] for p in ("float32", "float64")}
            entry[key] = {
                "seconds": columns,
                "median": {c: statistics.median(v) for c, v in columns.items()},
                "minimum": {c: min(v) for c, v in columns.items()},
                "ratios": ratios,
                "median_ratio": {p: statistics.median(v) for p, v in ratios.items()},
            }
        entry["load"] = os.getloadavg()[0]
        entry["share_of_processors"] = statistics.median(shares)
        out.append(entry)
        print(f"  {label}: {entry['all_threads_wall']['median_ratio']['float32']:.1f} times", flush=True)
    return out


def machine(binaries):
    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    vector = "AVX-512" if "avx512f" in open("/proc/cpuinfo").read() else "no AVX-512"
    return {
        "processor": f"{cpu[0] if cpu else platform.machine()} ({vector})",
        "threads": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
        "versions": {
            "cavi": subprocess.run([binaries.parent.parent / "cavi", "--version"], capture_output=True, text=True).stdout.split()[-1],
            "numpy": np.__version__,
            "blas": ", ".join(f"{i['internal_api']} {i['version']}" for i in threadpool_info() if i["user_api"] == "blas"),
            "python": platform.python_version(),
        },
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--binaries", type=pathlib.Path, required=True, help="folder of peers_cavi and peers_armadillo")
    p.add_argument("--rows-scale", type=float, default=1, help="share of the rows (of the fits of a batch)")
    p.add_argument("--pairs", type=int, help="pairs per shape (default 3, of quick shapes 7)")
    p.add_argument("--only", default="", help="shapes whose name has this text")
    p.add_argument("--peers", default=",".join(ALL_PEERS), help="which, with commas between: " + ", ".join(ALL_PEERS))
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("peers"), help="writes OUT.md, OUT.json and OUT.svg")
    a = p.parse_args()
    a.binaries = a.binaries.resolve()
    peers = a.peers.split(",")
    if wrong := set(peers) - set(ALL_PEERS):
        p.error(f"--peers: {', '.join(sorted(wrong))}: choose from {', '.join(ALL_PEERS)}")
    if "Armadillo" in peers and not (a.binaries / "peers_armadillo").exists():
        print("Armadillo is left out: it was not found when peers_armadillo should have been built")
        peers.remove("Armadillo")
    shapes = [s for s in SHAPES if a.only in s.name()]
    if not shapes:
        p.error(f"--only: no shape has '{a.only}' in its name: {'; '.join(s.name() for s in SHAPES)}")
    result = {"machine": machine(a.binaries), "rows_scale": a.rows_scale, "shapes": []}
    for s in shapes:
        if s.fits > 1:
            s.fits = max(2, round(s.fits * a.rows_scale))
        else:
            s.rows = max(10 * s.components, round(s.rows * a.rows_scale))
        print(s.name(), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            data = make_data(pathlib.Path(folder), s)
            threads = result["machine"]["threads"]
            entries = measure(a.binaries, data, peers, threads, a.pairs or s.pairs)
            timed = s.to_bound and "BayesianGaussianMixture" in peers
            bound = time_to_bound(a.binaries, data, threads) if timed else None
        for e in entries:
            library = "Armadillo" if e["peer"].startswith("gmm_") else "scikit-learn"
            result["machine"]["versions"][library] = e["version"]
        result["shapes"].append({"name": s.name(), **asdict(s), "peers": entries, "time_to_bound": bound})
        report.write(result, a.out)
    print(report.markdown(result))


if __name__ == "__main__":
    main()
