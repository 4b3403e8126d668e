"""What a person reads of a diagnosis."""

import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from fit.doctor.finding import Diagnosis, Finding

WIDTH = 118
MOST_FINDINGS = 6


def say(diagnosis: Diagnosis, typed: Collection[str] = ()) -> str:
    """Say why a run is not good, and what cures it; nothing of a good one. `typed` are the settings it was given."""
    if diagnosis.healthy:
        return ""
    return "\n".join(lines(diagnosis.findings, typed))


def lines(findings: Sequence[Finding], typed: Collection[str] = ()) -> Iterator[str]:
    """Write findings, a cure that several share once, in one line as it is to be typed."""
    for cure, shared in by_cure(findings[:MOST_FINDINGS]):
        for each in shared:
            doubt = "" if each.certainty == "certain" else f" ({each.certainty})"
            yield textwrap.fill(f"{each.title} — {each.explanation}{doubt}", WIDTH, subsequent_indent="  ")
        if not cure:
            yield textwrap.fill(f"no setting cures it: {shared[-1].expected}", WIDTH, initial_indent="  ")
            continue
        yield f"  cure: {' '.join(quoted(cure))}"
        instead = superseded(cure, typed)
        if instead:
            yield f"  leave out {', '.join(instead)}, which it replaces"
    if len(findings) > MOST_FINDINGS:
        yield f"… {len(findings) - MOST_FINDINGS} more in diagnosis.json"


def by_cure(findings: Sequence[Finding]) -> Iterator[tuple[tuple[str, ...], list[Finding]]]:
    """Yield cures, each with the findings in a row that share it."""
    for cure, shared in groupby(findings, key=lambda finding: tuple(finding.cure)):
        yield cure, list(shared)


def superseded(cure: Sequence[str], typed: Collection[str]) -> list[str]:
    """Return the settings that were typed for an option, such as a scheduler, in whose place a cure puts another."""
    keys = {each.partition("=")[0] for each in cure}
    return [key for key in typed if "." in key and key.partition(".")[0] in keys and key not in keys]


def quoted(overrides: Sequence[str]) -> list[str]:
    """Quote what a shell would take apart."""
    return [f"'{each}'" if set(each) & set('[]{} *?"()') else each for each in overrides]


def percent(part: float) -> str:
    """Write a part of a whole with two digits: 0.0034 is 0.34%."""
    return f"{float(f'{100 * part:.2g}'):g}%" if part >= 1e-4 or part == 0 else "under 0.01%"


def warnings(findings: Sequence[Finding]) -> str:
    """Say what is known before the first step."""
    return "\n".join(["Known before the first step:", *lines(findings)]) + "\n"


def markdown(diagnosis: Diagnosis) -> str:
    """Write a diagnosis for TensorBoard, which breaks no line within code."""
    if diagnosis.healthy:
        return "healthy: nothing to say"
    parts = []
    for cure, shared in by_cure(diagnosis.findings):
        parts += [f"**{each.title}** ({each.certainty}): {each.explanation}" for each in shared]
        message = " ".join(f"`{each}`" for each in quoted(cure))
        parts.append(f"cure: {message}" if cure else f"no setting cures it: {shared[-1].expected}")
    return "\n\n".join(parts)
