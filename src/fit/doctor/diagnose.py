"""From a case to a diagnosis."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fit.doctor.case import Case
from fit.doctor.finding import CERTAINTIES, Diagnosis, Finding
from fit.doctor.findings import BEFORE_TRAINING, DECISIVE, HARMFUL, INSUFFICIENT, Detector
from fit.doctor.findings.data import unexplained

# Findings that contradict each other: only the more important one is reported. A network that memorized its rows has
# not learned too little, and steps are not both too large and too small.
OPPOSITES = (
    ({"overfit"}, {"too_few_epochs", "step_too_small", "network_too_small", "over_regularized"}),
    ({"step_too_large", "noisy_plateau"}, {"step_too_small", "too_few_epochs"}),
    ({"does_not_generalize"}, {"overfit"}),
    ({"jump"}, {"overfit", "too_few_epochs", "network_too_small", "noisy_plateau", "bad_start"}),
)


LENGTH = "trainer.max_epochs"


def diagnose(case: Case) -> Diagnosis:
    """Find the causes of a bad fit; a good one has none."""
    began = time.perf_counter()
    findings = [] if case.good else find_causes(case)
    healthy = case.good or (case.nearly_good and not findings)
    return Diagnosis(healthy, findings, time.perf_counter() - began)


def find_causes(case: Case) -> list[Finding]:
    """Find causes: a decisive one alone; else what harms the fit and, if none of that is certain, what it lacks."""
    for find in DECISIVE:
        finding = find(case)
        if finding is not None:
            return [finding]
    findings = collect_findings(HARMFUL, case)
    certain = {finding.id for finding in findings if finding.certainty == "certain"}
    if certain <= {"dead_units"}:  # which may be due to the start values
        findings += collect_findings(INSUFFICIENT, case)
    findings = reconcile(sort_by_certainty(findings))
    if case.nearly_good:
        return [finding for finding in findings if finding.certainty == "certain"]
    probable = [finding for finding in findings if finding.certainty != "possible"]
    return probable or findings or [unexplained(case)]


def reconcile(findings: Sequence[Finding]) -> list[Finding]:
    """Drop findings that contradict a more important one, and make all cures agree on the value of each setting."""
    story: list[Finding] = []
    for finding in findings:
        before = {each.id for each in story}
        if not any(finding.id in one and before & other for pair in OPPOSITES for one, other in (pair, pair[::-1])):
            story.append(finding)
    values: dict[str, str] = {}
    for key, _, value in (each.partition("=") for finding in story for each in finding.cure):
        # What is found first decides, but the longest training is long enough for all.
        known = values.setdefault(key, value)
        values[key] = max(known, value, key=int) if key == LENGTH else known
    cures: dict[tuple[str, ...], Sequence[str]] = {}
    for place, finding in enumerate(story):
        agreed = [f"{key}={values[key]}" for key, _, _ in (each.partition("=") for each in finding.cure)]
        story[place] = replace(finding, cure=cures.setdefault(tuple(sorted(agreed)), agreed))
    return story


def collect_findings(finds: Sequence[Detector], case: Case) -> list[Finding]:
    """Run detectors and return their findings, the first of each id."""
    first: dict[str, Finding] = {}
    for find in finds:
        finding = find(case)
        if finding is not None:
            first.setdefault(finding.id, finding)
    return list(first.values())


def merge_diagnoses(diagnoses: Sequence[Diagnosis]) -> Diagnosis:
    """Merge the diagnoses of several networks: each finding once, with the number of networks that have it."""
    first: dict[str, Finding] = {}
    members = Counter(finding.id for diagnosis in diagnoses for finding in diagnosis.findings)
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            first.setdefault(
                finding.id, replace(finding, evidence={**finding.evidence, "members": members[finding.id]})
            )
    common = sorted(first.values(), key=lambda finding: -members[finding.id])
    healthy = all(diagnosis.healthy for diagnosis in diagnoses)
    return Diagnosis(healthy, reconcile(sort_by_certainty(common)), sum(diagnosis.seconds for diagnosis in diagnoses))


def diagnose_before_training(case: Case) -> list[Finding]:
    """Find the causes that are known before the first step."""
    return reconcile(sort_by_certainty(collect_findings(BEFORE_TRAINING, case)))


def sort_by_certainty(findings: list[Finding]) -> list[Finding]:
    """Sort findings by certainty, keeping the order of importance within each."""
    return sorted(findings, key=lambda finding: CERTAINTIES.index(finding.certainty))
