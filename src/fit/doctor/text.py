"""Diagnoses as text, for the terminal and for TensorBoard."""

import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from fit.doctor.finding import Diagnosis, Finding

WIDTH = 118
MOST_FINDINGS = 6


def format_diagnosis(diagnosis: Diagnosis, typed: Collection[str] = ()) -> str:
    """Format why a fit is bad and what cures it, empty for a good one; `typed` are the keys of the run's overrides."""
    if diagnosis.healthy:
        return ""
    return "\n".join(format_findings(diagnosis.findings, typed))


def format_findings(findings: Sequence[Finding], typed: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of findings; a cure that several share is written once, ready to type."""
    for cure, shared in group_by_cure(findings[:MOST_FINDINGS]):
        for each in shared:
            doubt = "" if each.certainty == "certain" else f" ({each.certainty})"
            yield textwrap.fill(f"{each.title} — {each.explanation}{doubt}", WIDTH, subsequent_indent="  ")
        if not cure:
            yield textwrap.fill(f"no setting cures it: {shared[-1].expected}", WIDTH, initial_indent="  ")
            continue
        yield f"  cure: {' '.join(quote_overrides(cure))}"
        replaced = superseded(cure, typed)
        if replaced:
            yield f"  leave out {', '.join(replaced)}, which it replaces"
    if len(findings) > MOST_FINDINGS:
        yield f"… {len(findings) - MOST_FINDINGS} more in diagnosis.json"


def group_by_cure(findings: Sequence[Finding]) -> Iterator[tuple[tuple[str, ...], list[Finding]]]:
    """Yield each cure with the consecutive findings that share it."""
    for cure, shared in groupby(findings, key=lambda finding: tuple(finding.cure)):
        yield cure, list(shared)


def superseded(cure: Sequence[str], typed: Collection[str]) -> list[str]:
    """Return the typed settings of an option, such as a scheduler, that a cure replaces by another option."""
    keys = {each.partition("=")[0] for each in cure}
    return [key for key in typed if "." in key and key.partition(".")[0] in keys and key not in keys]


def quote_overrides(overrides: Sequence[str]) -> list[str]:
    """Quote overrides that a shell would split or expand."""
    return [f"'{each}'" if set(each) & set('[]{} *?"()') else each for each in overrides]


def format_percent(part: float) -> str:
    """Format a fraction as a percentage with two digits: 0.0034 is 0.34%."""
    return f"{float(f'{100 * part:.2g}'):g}%" if part >= 1e-4 or part == 0 else "under 0.01%"


def format_warnings(findings: Sequence[Finding]) -> str:
    """Format the findings that are known before the first step."""
    return "\n".join(["Known before the first step:", *format_findings(findings)]) + "\n"


def format_markdown(diagnosis: Diagnosis) -> str:
    """Format a diagnosis for TensorBoard, which breaks no line within code."""
    if diagnosis.healthy:
        return "healthy: no findings"
    parts = []
    for cure, shared in group_by_cure(diagnosis.findings):
        parts += [f"**{each.title}** ({each.certainty}): {each.explanation}" for each in shared]
        message = " ".join(f"`{each}`" for each in quote_overrides(cure))
        parts.append(f"cure: {message}" if cure else f"no setting cures it: {shared[-1].expected}")
    return "\n\n".join(parts)
