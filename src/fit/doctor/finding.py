"""Findings, and the diagnosis they form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fit.folder import RunFolder

Evidence = Mapping[str, float | int | str | bool | None]
CERTAINTIES = ("certain", "likely", "possible")


@dataclass(frozen=True)
class Finding:
    """One cause of a bad fit.

    `id` names the cause, such as `step_too_large`; `certainty` is `certain`, `likely` or `possible`. `evidence` holds
    the numbers that show it (learning rates, ratios, losses in scaled units, errors over the targets' standard
    deviation), and `explanation` states them in one sentence. `cure` holds overrides to type after the run's own;
    `expected` says what they achieve or, where `cure` is empty as no setting helps, what would help.
    """

    id: str
    certainty: str
    evidence: Evidence
    explanation: str
    cure: Sequence[str] = ()
    expected: str = ""

    @property
    def title(self) -> str:
        """Return the id in words."""
        return self.id.replace("_", " ")


@dataclass(frozen=True)
class Diagnosis:
    """The findings of a run, the most important first, and how many seconds the diagnosis took."""

    healthy: bool
    findings: Sequence[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        """Return what diagnosis.json holds."""
        findings = [
            {
                "id": each.id,
                "certainty": each.certainty,
                "evidence": dict(each.evidence),
                "explanation": each.explanation,
                "cure": list(each.cure),
                "expected": each.expected,
            }
            for each in self.findings
        ]
        return {"healthy": self.healthy, "findings": findings, "seconds": self.seconds}


def read_diagnosis(folder: RunFolder) -> Diagnosis:
    """Read the diagnosis of a run folder; without one, return a healthy one without findings."""
    stored = folder.read_diagnosis()
    findings = stored.get("findings")
    found = [Finding(**each) for each in findings] if isinstance(findings, list) else []
    return Diagnosis(bool(stored.get("healthy", True)), found, float(str(stored.get("seconds", 0.0))))
