"""The doctor's whole table: every case named rightly, nothing beside it said, and what is prescribed works."""

from zlib import crc32

import pytest

from doctor.cases import write_files
from doctor.faulty import FAULTY
from doctor.healthy import HEALTHY
from doctor.report import cured, run
from fit.doctor.finding import read_diagnosis

KINDS = list(dict.fromkeys(case.ids[0] for case in FAULTY))
GROUPS = 4  # of the healthy ones, so that each test is a short one
# A cure is ten trainings: those of a third of the cases are tried here, of all of them in `make doctor-report`.
ONE_IN = 3


def is_cured_here(case):
    return crc32(case.name.encode()) % ONE_IN == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_case_is_named_and_nothing_else_and_its_cure_helps(tmp_path, kind):
    write_files(tmp_path)
    wrong = []
    for case in [case for case in FAULTY if case.ids[0] == kind]:
        job = run(case, tmp_path)
        findings = read_diagnosis(job.folder).findings
        ids = [finding.id for finding in findings]
        if not ids or not set(ids) <= set(case.ids):
            wrong.append((case.name, ids))
        elif is_cured_here(case) and (verdict := cured(job, findings[0])) is not None and not verdict.worked:
            wrong.append((case.name, str(verdict)))
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_said_of_a_healthy_run(tmp_path, group):
    write_files(tmp_path)
    diagnoses = {case.name: read_diagnosis(run(case, tmp_path).folder) for case in HEALTHY[group::GROUPS]}
    assert [name for name, each in diagnoses.items() if each.findings or not each.healthy] == []
