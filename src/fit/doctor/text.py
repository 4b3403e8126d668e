"""What a person reads of a diagnosis."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from fit.doctor.finding import Diagnosis, Finding

WIDTH = 118
MOST_FINDINGS = 4


def say(diagnosis: Diagnosis) -> str:
    """Say why a run is not good, and what cures it; nothing where it is."""
    if diagnosis.healthy:
        return ""
    if not diagnosis.findings:
        return "The fit is not good, and the doctor does not know why: nothing that it looks for fits what it measured."
    return "\n".join(lines(diagnosis.findings))


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Write findings, a cure that several share once."""
    for cure, shared in groupby(findings[:MOST_FINDINGS], key=lambda finding: tuple(finding.cure)):
        last = None
        for last in shared:
            doubt = "" if last.certainty == "certain" else f" ({last.certainty})"
            yield textwrap.fill(f"{last.title} — {last.explanation}{doubt}", WIDTH, subsequent_indent="  ")
        assert last is not None
        told = f"cure: {' '.join(quoted(cure))}" if cure else f"no setting cures it: {last.expected}"
        yield textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    if len(findings) > MOST_FINDINGS:
        yield f"… {len(findings) - MOST_FINDINGS} more in diagnosis.json"


def quoted(overrides: Sequence[str]) -> list[str]:
    """Quote what a shell would take apart."""
    return [f"'{each}'" if set(each) & set('[]{} *?"()') else each for each in overrides]


def warnings(findings: Sequence[Finding]) -> str:
    """Say what is known before the first step."""
    return "\n".join(["Before the first step it is known:", *lines(findings)]) + "\n"


def markdown(diagnosis: Diagnosis) -> str:
    """Write a diagnosis for TensorBoard."""
    if diagnosis.healthy:
        return "healthy: nothing to say"
    return "\n\n".join(
        f"**{finding.title}** ({finding.certainty}): {finding.explanation}"
        + (f"\n\n    {' '.join(quoted(finding.cure))}" if finding.cure else "")
        for finding in diagnosis.findings
    ) or say(diagnosis)
