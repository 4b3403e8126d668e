"""The main job: `python -m fit.train model=mlp_gelu data=xy_square`, from configuration to run folder."""

import logging

from omegaconf import DictConfig

from fit.errors import MENDABLE, as_sentence, refuse
from fit.execute import finished, run_jobs
from fit.folder import RunFolder
from fit.hydra_adapter.command import alone, command, hydra_config, run_path
from fit.interruption import Interruption, StopNow
from fit.job import Job
from fit.settings.names import check_names
from fit.settings.rules import check

log = logging.getLogger("fit")


def main(cfg: DictConfig) -> float:
    """Fit, and return the number that a sweep compares: infinity where the loss stopped being finite."""
    folder = RunFolder(run_path())
    job = Job(cfg, folder, log.info)
    interruption = Interruption()
    try:
        check(cfg)
        if not alone():  # of a run of its own it was asked before there was a folder
            check_names(cfg, hydra_config())
        with interruption:
            run_jobs([[job]], interruption=interruption)
        if finished([job]):
            return job.value
    except StopNow:
        log.info("Stopped at once. To resume: python -m fit.train resume=%s", folder.path)
        raise SystemExit(130) from None
    except Exception as error:
        if not alone():
            log.error(as_sentence(error))  # where the table of a sweep finds it
        elif isinstance(error, MENDABLE):
            if cfg.resume is None:
                folder.discard_if_untrained()
            raise SystemExit(refuse(error)) from None
        raise
    raise SystemExit(interruption.exit_code)


# Tells Hydra's launcher `stacked` that many jobs can be trained together.
main.stackable = True  # type: ignore[attr-defined]

if __name__ == "__main__":
    command(main)
