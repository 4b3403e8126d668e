"""From a case to a diagnosis."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fit.doctor.case import Case
from fit.doctor.finding import CERTAINTIES, Diagnosis, Finding
from fit.doctor.findings import BEFORE, HOPELESS, LACKING, SPOILING, Find


def diagnose(case: Case) -> Diagnosis:
    """Look for every cause that explains why a run is not good; a good one has none."""
    began = time.perf_counter()
    findings = [] if case.good else explain(case)
    healthy = case.good or (case.gray and not findings)
    return Diagnosis(healthy, findings, time.perf_counter() - began)


def explain(case: Case) -> list[Finding]:
    """Look for causes: what ends the search, what spoils a fit, and, where nothing of that is sure, what it lacks."""
    for find in HOPELESS:
        finding = find(case)
        if finding is not None:
            return [finding]
    findings = found(SPOILING, case)
    sure = {finding.id for finding in findings if finding.certainty == "certain"}
    if sure <= {"dead_units"}:  # units may be dead for where they started
        findings += found(LACKING, case)
    findings = ordered(findings)
    if case.gray:
        return [finding for finding in findings if finding.certainty == "certain"]
    surer = [finding for finding in findings if finding.certainty != "possible"]
    return surer or findings


def found(finds: Sequence[Find], case: Case) -> list[Finding]:
    """Return what is found, each cause once."""
    first: dict[str, Finding] = {}
    for find in finds:
        finding = find(case)
        if finding is not None:
            first.setdefault(finding.id, finding)
    return list(first.values())


def consult(diagnoses: Sequence[Diagnosis]) -> Diagnosis:
    """Put the diagnoses of a committee's members together: every finding once, with how many members have it."""
    first: dict[str, Finding] = {}
    members = Counter(finding.id for diagnosis in diagnoses for finding in diagnosis.findings)
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            first.setdefault(
                finding.id, replace(finding, evidence={**finding.evidence, "members": members[finding.id]})
            )
    common = sorted(first.values(), key=lambda finding: -members[finding.id])
    healthy = all(diagnosis.healthy for diagnosis in diagnoses)
    return Diagnosis(healthy, ordered(common), sum(diagnosis.seconds for diagnosis in diagnoses))


def foresee(case: Case) -> list[Finding]:
    """Look for what can be known before the first step."""
    return ordered(found(BEFORE, case))


def ordered(findings: list[Finding]) -> list[Finding]:
    """Put what is sure first, and keep the order of importance within that."""
    return sorted(findings, key=lambda finding: CERTAINTIES.index(finding.certainty))
