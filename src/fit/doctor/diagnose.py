"""From a case to a diagnosis."""

import time

from fit.doctor.case import Case
from fit.doctor.finding import CERTAINTIES, Diagnosis, Finding
from fit.doctor.findings import BEFORE, FINDINGS


def diagnose(case: Case) -> Diagnosis:
    """Look for every cause that explains why a run is not good; a good one has none."""
    began = time.perf_counter()
    findings = [] if case.good else [each for find in FINDINGS if (each := find(case)) is not None]
    return Diagnosis(case.good, ordered(findings), time.perf_counter() - began)


def foresee(case: Case) -> list[Finding]:
    """Look for what can be known before the first step."""
    return ordered([each for find in BEFORE if (each := find(case)) is not None])


def ordered(findings: list[Finding]) -> list[Finding]:
    """Put what is sure first, and keep the order of importance within that."""
    return sorted(findings, key=lambda finding: CERTAINTIES.index(finding.certainty))
