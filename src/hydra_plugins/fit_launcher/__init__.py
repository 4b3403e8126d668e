"""Hydra's `hydra/launcher=stacked` and `hydra/sweeper=grid`."""
