"""What the doctor says: findings, and the diagnosis that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fit.folder import RunFolder

Evidence = Mapping[str, float | int | str | bool | None]
CERTAINTIES = ("certain", "likely", "possible")


@dataclass(frozen=True)
class Finding:
    """One cause: how sure it is, the numbers that show it, what they mean, what cures it and what to expect then.

    `cure` holds overrides as typed after `python -m fit.train`, those of the run itself before them; where no setting
    can help it is empty, and `expected` says what would.
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
    """All findings of a run, the most important first; where it has none and is not `healthy`, nobody knows why."""

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
    """Read what a run's folder says of it; a run without a diagnosis has nothing to say."""
    stored = folder.read_diagnosis()
    findings = stored.get("findings")
    found = [Finding(**each) for each in findings] if isinstance(findings, list) else []
    return Diagnosis(bool(stored.get("healthy", True)), found, float(str(stored.get("seconds", 0.0))))
