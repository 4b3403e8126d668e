"""FitRegressor: scikit-learn's own checks, its tools, and known functions."""

import logging
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from fit import FitError, FitRegressor

X = np.random.default_rng(0).uniform(-2, 2, (300, 2))
Y = X[:, 0] ** 2 + X[:, 1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([FitRegressor(hidden=(16,), max_epochs=40, ensemble=2)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_it_learns_and_predicts_in_own_units():
    model = FitRegressor(max_epochs=100).fit(X, 1000 * Y + 5000)
    assert model.score(X, 1000 * Y + 5000) > 0.999
    fresh = np.random.default_rng(1).uniform(-2, 2, (200, 2))
    assert np.abs(model.predict(fresh) - 1000 * (fresh[:, 0] ** 2 + fresh[:, 1]) - 5000).mean() < 50


def test_several_targets_and_their_spread():
    targets = np.stack([Y, -Y, Y**2], 1)
    model = FitRegressor(max_epochs=40, ensemble=4).fit(X, targets)
    mean, spread = model.predict(np.vstack([X[:5], [[30.0, 30.0]]]), return_std=True)
    assert mean.shape == spread.shape == (6, 3)
    assert (spread[5] > spread[:5].max(0)).all()


def test_the_tools_of_scikit_learn():
    quick = FitRegressor(hidden=(16,), max_epochs=30, ensemble=2)
    assert cross_val_score(make_pipeline(PolynomialFeatures(2), quick), X, Y, cv=3).min() > 0.95
    search = GridSearchCV(quick, {"lr": [1e-5, 1e-2]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"lr": 1e-2}


def test_pickled_it_answers_the_same():
    model = FitRegressor(max_epochs=5, ensemble=2).fit(X, Y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_the_seed_decides():
    one, again, other = (FitRegressor(max_epochs=5, random_state=seed).fit(X, Y).predict(X) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_held_out_rows_keep_noise_from_being_learned():
    inputs, targets = make_friedman1(n_samples=80, noise=4.0, random_state=0)
    fresh, truth = make_friedman1(n_samples=500, noise=0.0, random_state=1)
    stopped, through = (
        FitRegressor(max_epochs=400, ensemble=each, validation_fraction=part).fit(inputs, targets).score(fresh, truth)
        for each, part in ((8, 0.1), (1, 0.0))
    )
    assert stopped > through


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": 0}, "optimizer.lr=0 is not allowed"),
        ({"activation": "gelo"}, "did you mean gelu"),
        ({"optimizer": "adamm"}, "optimizer=adamm does not exist"),
        ({"ensemble": 0}, "ensemble=0 is not allowed"),
        ({"hidden": (0,)}, "model.hidden=[0] is not allowed"),
        ({"hidden": (6.9,)}, "model.hidden=[6.9] is not allowed"),
        ({"hidden": "64"}, "model.hidden=64 is not allowed"),
        ({"hidden": 64}, "model.hidden=64 is not allowed"),
        ({"validation_fraction": -1}, "data.val_fraction=-1 is not allowed"),
        ({"validation_fraction": "a"}, "data.val_fraction=a is not allowed"),
        ({"patience": -1}, "early_stopping.patience=-1 is not allowed"),
        ({"loss": object}, "loss=<class 'object'> is not allowed: give one of mse"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(FitError) as told:
        FitRegressor(**settings).fit(X[:5], Y[:5])
    assert words in str(told.value)


def test_a_single_row_is_refused():
    with pytest.raises(ValueError, match=r"1 sample.* a minimum of 2 is required"):
        FitRegressor().fit([[1.0, 2.0]], [3.0])


def test_numbers_of_numpy_are_numbers():
    quick = FitRegressor(hidden=np.array([4, 4]), max_epochs=np.int64(2), ensemble=np.int32(1), patience=np.int64(5))
    search = GridSearchCV(quick, {"lr": np.logspace(-3, -1, 2), "activation": np.array(["relu", "gelu"])}, cv=2)
    assert search.fit(X[:40], Y[:40]).predict(X).shape == (300,)


def test_of_each_network_the_best_epoch_answers():
    noise = np.random.default_rng(1).normal(size=300)
    model = FitRegressor(max_epochs=12, ensemble=3, lr=0.1, scheduler="constant").fit(X, noise)
    epochs = [each["epoch"] for each in model.checkpoints_]
    assert epochs == [min(history, key=lambda look: look["val/loss"])["epoch"] for history in model.history_]
    assert min(epochs) < 12


def test_divergence_is_told():
    with pytest.warns(ConvergenceWarning, match="1 of 1 network diverged.*give a lower lr"):
        FitRegressor(optimizer="sgd", lr=1e20, max_epochs=3, ensemble=1).fit(X, Y)


def test_torch_is_left_as_it_was():
    torch.set_num_threads(2)
    torch.manual_seed(0)
    before = torch.get_rng_state(), warnings.filters[:], logging.getLogger("lightning.pytorch").level
    FitRegressor(max_epochs=1, ensemble=1).fit(X, Y)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (warnings.filters[:], logging.getLogger("lightning.pytorch").level) == before[1:]
