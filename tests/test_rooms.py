"""The rooms of the house: imports run one way, and every private name of Hydra's is in one file."""

import ast
from pathlib import Path

import fit

PACKAGE = Path(fit.__file__).parent
# From the ground up; those in one line may know each other's neighbours, not each other.
ROOMS = [
    ("errors", "messages", "determinism", "interruption"),
    ("folder", "catalog"),
    ("job", "settings", "kernel"),
    ("model",),
    ("data",),
    ("evaluation",),
    ("training",),
    ("predict",),
    ("report", "export"),
    ("hydra_adapter",),
    ("doctor",),
    ("ensemble", "trainer"),
    ("fitting",),
    ("execute",),
    ("sweep",),
    ("search",),
    ("api", "sklearn", "commands"),
    ("__init__", "__main__"),
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def room(parts):
    """Return where a module stands; what is typed after `python -m` stands above all others."""
    return "commands" if parts[-1] == "train" or (len(parts) > 1 and parts[-1] == "__main__") else parts[0]


def imports(path):
    """Yield the modules that a file imports, those within functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from ([node.module] if node.module != "fit" else [f"fit.{each.name}" for each in node.names])
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def files():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").parts, path


def test_no_room_imports_from_above():
    wrong = []
    for parts, path in files():
        for module in imports(path):
            if module.startswith("fit."):
                here, there = room(parts), room(module.split(".")[1:])
                if here != there and FLOOR[there] >= FLOOR[here]:
                    wrong.append(f"{'.'.join(parts)} imports {module}")
    assert not wrong


def test_no_module_is_in_a_circle():
    graph = {
        ".".join(("fit", *(parts[:-1] if parts[-1] == "__init__" else parts))): {
            module for module in imports(path) if module.startswith("fit.")
        }
        for parts, path in files()
    }
    done, path_now = set(), []

    def visit(module):
        assert module not in path_now, " → ".join([*path_now, module])
        if module in done:
            return
        path_now.append(module)
        for each in graph.get(module, ()):
            visit(each)
        path_now.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_what_is_private_to_hydra_is_in_one_file():
    private = {
        ".".join(parts)
        for parts, path in files()
        for module in imports(path)
        if module.startswith(("hydra._internal", "omegaconf._"))
    }
    assert private == {"hydra_adapter.private"}
