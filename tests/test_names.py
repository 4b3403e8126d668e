"""Names stand in a table that needs no torch, and in the code that does: they are the same."""

from fit.catalog.losses import LOSSES
from fit.model.start import INITIALIZERS
from fit.settings.rules import RULES
from fit.settings.schema import INITS


def test_every_name_that_is_allowed_is_there():
    assert set(RULES["loss"].names) == set(LOSSES)
    assert set(INITS) == set(INITIALIZERS)
