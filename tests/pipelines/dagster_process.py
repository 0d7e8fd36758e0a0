"""A job of the definitions, executed in this process as it is, on the instance of DAGSTER_HOME; what came of it goes to the output as JSON.

    python -m tests.pipelines.dagster_process JOB [--step STEP] [--incremental] [--at-retry COMMAND]

`--at-retry`: a shell command that is run as soon as a step waits to be tried again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from typing import Any

import dagster as dg


def at_retry(instance: dg.DagsterInstance, command: str, over: threading.Event) -> None:
    """Wait until a step of the newest run is to be tried again, then run the command."""
    while not over.wait(0.05):
        for run in instance.get_runs(limit=1):
            if instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY):
                subprocess.run(command, shell=True, check=True)
                return


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Assets with their metadata, checks, and what became of the steps."""
    events = result.all_events
    checks = [event.asset_check_evaluation_data for event in events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    made = [event.step_materialization_data.materialization for event in events if event.is_step_materialization]
    return {
        "success": result.success,
        "made": {m.asset_key.to_user_string(): {name: value.value for name, value in m.metadata.items()} for m in made},
        "failed_checks": {f"{c.asset_key.to_user_string()}:{c.check_name}": c.severity.value for c in checks if not c.passed},
        "checks": len({(c.asset_key, c.check_name) for c in checks}),
        "steps": [[event.step_key, event.event_type_value] for event in events if event.is_step_event and event.event_type_value in _STEPS],
        "why": [event.step_failure_data.error_display_string[:2000] for event in events if event.is_step_failure],
    }


_STEPS = {"STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "STEP_UP_FOR_RETRY"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("--step")
    parser.add_argument("--incremental", action="store_true")
    parser.add_argument("--at-retry")
    options = parser.parse_args()
    from pipelines.orchestration import definitions

    job = definitions.defs.resolve_job_def(options.job)
    config = {"ops": {"extract_tables": {"config": {"reconcile": False}}}} if options.incremental else None
    keys = sorted(getattr(definitions, options.step).keys) if options.step else None
    over = threading.Event()
    with dg.DagsterInstance.get() as instance:
        if options.at_retry:
            threading.Thread(target=at_retry, args=(instance, options.at_retry, over)).start()
        try:
            result = job.execute_in_process(instance=instance, run_config=config, asset_selection=keys, raise_on_error=False)
        finally:
            over.set()
        json.dump(told(result), sys.stdout)


if __name__ == "__main__":
    main()
