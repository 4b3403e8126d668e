"""best.yaml: the overrides of a sweep's best job, as a configuration that can be run."""

from typing import Any

import yaml

from fit.sweep.results.table import SweepTable, parse_value


def best_config(table: SweepTable) -> str:
    """Write the overrides of the best job; raise ValueError if there is none."""
    job = table.best
    if job is None:
        raise ValueError("no job of the sweep ended well")
    groups = {key: value for key, value in job.overrides.items() if key in job.hydra.runtime.choices}
    settings: dict[str, Any] = {}
    for key, value in job.overrides.items():
        if key not in groups and not key.startswith("~"):
            *path, name = key.lstrip("+").split(".")
            node = settings
            for each in path:
                node = node.setdefault(each, {})
            node[name] = parse_value(value)
    typed = " ".join(
        f"'{key}={value}'" if set(value) & set("[{ ") else f"{key}={value}" for key, value in job.overrides.items()
    )
    # The folders of configurations that are not fit's own.
    places = [source.path for source in job.hydra.runtime.config_sources if source.provider == "command-line"]
    more = [f"hydra.searchpath=[{','.join(places)}]"] if places else []
    more += [f"'{key}'" for key in job.overrides if key.startswith("~")]
    first = table.settings[0]
    others = f", the median of its {len(first.jobs)} seeds {table.median(first):.6g}" if len(first.jobs) > 1 else ""
    lines = [
        f"# The best job of this sweep, {job.folder.path}: {table.metric} {table.error(job):.6g}{others}. To run it:",
        f"#   python -m fit.train --config-dir {table.folder} --config-name best {' '.join(more)}".rstrip(),
        f"# which is python -m fit.train {typed}",
        "defaults:",
        f"  - {job.hydra.job.config_name}",
        *(f"  - override {key}: {value}" for key, value in groups.items()),
        "  - _self_",
    ]
    rest = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True) if settings else ""
    return "\n".join(lines) + "\n" + rest
