"""Names stand in a table that needs no torch, and in the code that does: they are the same."""

from fit.config.rule import INITS
from fit.config.rules import RULES
from fit.measure.losses import LOSSES
from fit.model.start import INITIALIZERS


def test_every_name_that_is_allowed_is_there():
    assert set(RULES["loss"].names) == set(LOSSES)
    assert set(INITS) == set(INITIALIZERS)
