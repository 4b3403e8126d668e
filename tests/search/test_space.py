"""Overrides as a space to search."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from fit.errors import FitError
from fit.search.space import read_space


def space(*lines):
    return read_space(OverridesParser.create().parse_overrides(list(lines)))


@pytest.mark.parametrize(
    ("value", "distribution"),
    [
        ("interval(1,10)", FloatDistribution(1.0, 10.0)),
        ("int(interval(1,10))", IntDistribution(1, 10)),
        ("tag(log,interval(1e-4,1))", FloatDistribution(1e-4, 1.0, log=True)),
        ("tag(log,int(interval(1,100)))", IntDistribution(1, 100, log=True)),
        ("range(8,64,8)", IntDistribution(8, 56, step=8)),
        ("range(8,65,8)", IntDistribution(8, 64, step=8)),
        ("range(3)", IntDistribution(0, 2)),
        ("range(5,0,-2)", IntDistribution(1, 5, step=2)),
        ("tag(log,range(1,100))", IntDistribution(1, 99, log=True)),
        ("range(0,0.9,0.3)", FloatDistribution(0.0, 0.6, step=0.3)),
        ("shuffle(range(1,4))", IntDistribution(1, 3)),
        ("1e-2,1e-3", CategoricalDistribution(["0.01", "0.001"])),
        ("choice([16],[64,64])", CategoricalDistribution(["[16]", "[64,64]"])),
        ("null,true,'a b',1,1", CategoricalDistribution(["null", "True", "'a b'", "1"])),
    ],
)
def test_the_grammar_of_overrides_is_a_space(value, distribution):
    read = space(f"x={value}", "y=2", "~z")
    assert read.searched == {"x": distribution}
    assert read.fixed == {"y": "y=2", "~z": "~z"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("optimizer.lr=interval(2,1)", ["optimizer.lr=interval(2,1)", "lower end"]),
        ("optimizer.lr=interval(nan,1)", ["optimizer.lr=interval(nan,1)", "ends are numbers"]),
        ("optimizer.lr=tag(log,interval(0,1))", ["a log scale begins above 0"]),
        ("optimizer.lr=tag(lgo,interval(1,2))", ["tag(lgo,interval(1,2))", "only tag is log"]),
        ("optimizer.lr=tag(log,choice(1,2))", ["tag(log,choice(1,2))", "only tag is log"]),
        ("seed=range(8,8)", ["seed=range(8,8)", "empty"]),
        ("seed=range(1,8,0)", ["seed=range(1,8,0)", "other than 0"]),
        ("seed=tag(log,range(1,8,2))", ["steps of 1"]),
    ],
)
def test_what_is_no_space_is_told(line, words):
    with pytest.raises(FitError, match="cannot be searched") as told:
        space(line)
    assert all(word in str(told.value) for word in [line, *words])


def test_values_are_written_as_they_are_typed():
    read = space("a=range(0,1,0.1)", "b='x y','z'", "c=2")
    assert read.overrides({"a": 0.1 * 3, "b": "'x y'"}) == ["c=2", "a=0.3", "b='x y'"]


def test_of_a_key_given_twice_the_last_counts():
    assert space("x=1,2", "y=1,2", "x=3").fixed == {"x": "x=3"}
    assert space("x=3", "x=1,2").fixed == {}
