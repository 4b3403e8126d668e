"""The engines by name, and where each is: `fit.training.engine.Engine` says what an engine has to do."""

ENGINES = {
    "eager": "fit.training.eager.Eager",
    "functional": "fit.training.functional.Functional",
    "compiled": "fit.training.compiled.Compiled",
}
# Of `auto` the first that does not refuse.
AUTO = ("eager", "functional")
