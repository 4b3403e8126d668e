"""FitRegressor: scikit-learn's own checks, its tools, and known functions."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from fit import FitError, FitRegressor

X = np.random.default_rng(0).uniform(-2, 2, (300, 2))
Y = X[:, 0] ** 2 + X[:, 1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        FitRegressor(hidden=(32,), max_epochs=100, ensemble=1),
        FitRegressor(hidden=(16,), max_epochs=60, ensemble=3),
    ]
)
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
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(FitError) as told:
        FitRegressor(**settings).fit(X, Y)
    assert words in str(told.value)


def test_a_single_row_is_refused():
    with pytest.raises(ValueError, match=r"1 sample.* a minimum of 2 is required"):
        FitRegressor().fit([[1.0, 2.0]], [3.0])
