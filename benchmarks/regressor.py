"""FitRegressor against scikit-learn's MLPRegressor, side by side: the error reached, and the time to the same error."""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fit import FitRegressor


class Split(NamedTuple):
    """Rows to fit and rows to judge by: inputs and targets of each."""

    inputs: np.ndarray
    targets: np.ndarray
    val_inputs: np.ndarray
    val_targets: np.ndarray


def square(seed: int) -> Split:
    """Make x² + y² from 1,024 points, judged on as many fresh ones."""
    points = np.random.default_rng(seed).uniform(-15, 15, (2048, 2))
    targets = np.square(points).sum(1)
    return Split(points[:1024], targets[:1024], points[1024:], targets[1024:])


def three(seed: int) -> Split:
    """Make article A4's three functions from 100 even points, judged on 200 random ones."""
    even, fresh = np.linspace(0.1, 2.1, 100), np.random.default_rng(seed).uniform(0.1, 2.1, 200)
    targets, truth = (np.stack([x * np.exp(x), np.exp(x), x**2], 1) for x in (even, fresh))
    return Split(even[:, None], targets, fresh[:, None], truth)


def diabetes(seed: int) -> Split:
    """Split the table of 442 patients."""
    inputs, targets = load_diabetes(return_X_y=True)
    inputs, val_inputs, targets, val_targets = train_test_split(inputs, targets, test_size=0.2, random_state=seed)
    return Split(inputs, targets, val_inputs, val_targets)


def friedman(seed: int) -> Split:
    """Make Friedman's first function of 10 inputs, half of them idle, with noise of 1, judged without noise."""
    inputs, targets = make_friedman1(n_samples=1000, noise=1.0, random_state=seed)
    val_inputs, truth = make_friedman1(n_samples=1000, noise=0.0, random_state=seed + 1000)
    return Split(inputs, targets, val_inputs, truth)


def scaled(activation: str, solver: str, **more: object) -> Callable[[], RegressorMixin]:
    """Give MLPRegressor what ours has by itself: standardized inputs and targets, and iterations enough."""

    def build() -> RegressorMixin:
        settings = {"hidden_layer_sizes": (64, 64), "activation": activation, "solver": solver, "random_state": 0}
        network = MLPRegressor(**settings, **more)
        return TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())

    return build


PROBLEMS = {"x²+y²": square, "three functions (A4)": three, "diabetes": diabetes, "friedman1": friedman}
PEERS = {
    "MLPRegressor, relu, adam (its defaults)": scaled("relu", "adam", max_iter=2000),
    "MLPRegressor, relu, adam, early stopping": scaled("relu", "adam", max_iter=2000, early_stopping=True),
    "MLPRegressor, tanh, lbfgs": scaled("tanh", "lbfgs", max_iter=5000),
}


def measure(build: Callable[[], RegressorMixin], splits: list[Split]) -> tuple[float, float]:
    """Return the median nrmse over splits, and the median seconds."""
    errors, seconds = [], []
    for split in splits:
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged is seen by its error
            model = build().fit(split.inputs, split.targets)
        seconds.append(time.perf_counter() - began)
        wrong = model.predict(split.val_inputs).reshape(split.val_targets.shape) - split.val_targets
        errors.append(float(np.sqrt(np.square(wrong).mean() / split.val_targets.var(0).mean())))
    return statistics.median(errors), statistics.median(seconds)


def main() -> None:
    """Print a table for each problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=5)
    asked = parser.parse_args()
    FitRegressor(max_epochs=1).fit(np.zeros((2, 1)), np.zeros(2))  # imports
    for name, make in PROBLEMS.items():
        splits = [make(seed) for seed in range(asked.splits)]
        print(f"{name}: nrmse (RMSE over the targets' standard deviation) and seconds, medians of {len(splits)}")
        best = float("inf")
        for title, peer in PEERS.items():
            error, seconds = measure(peer, splits)
            best = min(best, error)
            print(f"  {title:<44}{error:>10.3g}{seconds:>8.2f} s", flush=True)
        error, seconds = measure(FitRegressor, splits)
        print(f"  {'FitRegressor, its defaults':<44}{error:>10.3g}{seconds:>8.2f} s", flush=True)
        for epochs in (10, 25, 50, 100, 250):
            error, seconds = measure(lambda epochs=epochs: FitRegressor(max_epochs=epochs), splits)
            if error <= best:
                print(f"  {f'FitRegressor, {epochs} epochs, to the best of them':<44}{error:>10.3g}{seconds:>8.2f} s")
                break


if __name__ == "__main__":
    main()
