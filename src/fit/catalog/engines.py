"""The engines by name, and where each is: `fit.training.engine.Engine` says what an engine has to do."""

ENGINES = {
    "kernel": "fit.training.kernel.Kernel",
    "eager": "fit.training.eager.Eager",
    "functional": "fit.training.functional.Functional",
}
# Of `auto` the first that does not refuse.
AUTO = ("kernel", "eager", "functional")
