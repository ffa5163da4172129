"""The bundle passes every check, and every check refuses what it is for."""

from pathlib import Path
from typing import Any

import pytest

from . import checks
from .checks import CHECKS, MAIN, Check, Documents

ROOT = Path(__file__).parents[2]
DAILY = ("bronze", "silver", "gold", "features", "score", "monitor")


@pytest.fixture(scope="module")
def documents() -> Documents:
    return checks.read_documents(ROOT)


# --- the project's own bundle ------------------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_bundle_passes(check: Check, documents: Documents) -> None:
    assert check(documents) == []


def test_the_daily_job_runs_the_stages_in_order(documents: Documents) -> None:
    assert checks.order_problems(documents, "daily", DAILY) == []


def test_the_training_job_only_trains(documents: Documents) -> None:
    assert checks.order_problems(documents, "training", ("train",)) == []


def test_the_maintenance_job_only_maintains(documents: Documents) -> None:
    assert checks.order_problems(documents, "maintenance", ("maintain",)) == []


def test_what_the_bundle_names_is_there(documents: Documents) -> None:
    assert checks.missing_files(documents, lambda path: (ROOT / path).is_file()) == []


def test_every_stage_may_be_retried_but_training(documents: Documents) -> None:
    """The gate answers the same for the same data; the stages take up what is left of their work."""
    retries = {task["task_key"]: task["max_retries"] for job in checks.jobs(documents) for task in job.tasks}
    assert retries.pop("train") == 0
    assert set(retries) == {*DAILY, "maintain"} and min(retries.values()) > 0


def test_only_prod_runs_by_itself(documents: Documents) -> None:
    for job in checks.jobs(documents):
        statuses = checks.in_targets(documents, job.content["schedule"]["pause_status"])
        assert statuses == {"dev": "PAUSED", "staging": "PAUSED", "prod": "UNPAUSED"}


def test_a_deployment_has_all_that_the_jobs_are_given(documents: Documents) -> None:
    kinds = sorted(found.kind for found in checks.resources(documents))
    assert kinds == ["jobs", "jobs", "jobs", "registered_models", "schemas", "volumes"]


def test_no_two_targets_share_a_schema_without_a_prefix(documents: Documents) -> None:
    [schema] = [found.content for found in checks.resources(documents) if found.kind == "schemas"]
    catalogs, names = (checks.in_targets(documents, schema[key]) for key in ("catalog_name", "name"))
    assert (catalogs["staging"], names["staging"]) != (catalogs["prod"], names["prod"])


def test_the_jobs_of_prod_run_as_somebody_named(documents: Documents) -> None:
    changed = checks.targets(documents)["prod"]["resources"]["jobs"]
    assert {name: job["run_as"] for name, job in changed.items()} == {
        job.name: "${var.run_as}" for job in checks.jobs(documents)
    }
    [identity] = checks.variables(documents)["run_as"]["default"]
    assert identity in ("user_name", "service_principal_name")


def test_the_targets_are_of_the_modes_that_their_names_promise(documents: Documents) -> None:
    modes = {name: target["mode"] for name, target in checks.targets(documents).items()}
    assert modes == {"dev": "development", "staging": "production", "prod": "production"}


# --- bundles broken on purpose -----------------------------------------------------------------------------


def main(**content: Any) -> dict[str, Any]:
    return {MAIN: content}


def job(**content: Any) -> dict[str, Any]:
    """A bundle of one job, `j`."""
    return {MAIN: {}, "resources/j.yml": {"resources": {"jobs": {"j": content}}}}


def task(**content: Any) -> dict[str, Any]:
    """A bundle of one job of one task, `t`."""
    return job(tasks=[{"task_key": "t", **content}])


def schedule(expression: str, zone: str = "UTC", status: str = "PAUSED") -> dict[str, Any]:
    content = {"quartz_cron_expression": expression, "timezone_id": zone, "pause_status": status}
    return {**job(schedule=content), **main(targets={"dev": {"mode": "development"}})}


def call(*parameters: str) -> dict[str, Any]:
    return task(spark_python_task={"python_file": "../jobs/t.py", "parameters": list(parameters)})


GOOD_CALL = (
    "${workspace.file_path}/conf/flights",
    *("--env", "${bundle.target}"),
    *("--set", "environment.catalog=${resources.schemas.s.catalog_name}"),
    *("--set", "environment.schema=${resources.schemas.s.name}"),
    *("--set", "environment.landing=${var.landing_path}"),
    *("--set", "environment.model=${resources.registered_models.m.id}"),
)
SOUND_JOB = {
    "queue": {"enabled": True},
    "max_concurrent_runs": 1,
    "email_notifications": {"on_failure": ["somebody@example.com"]},
    "timeout_seconds": 100,
}
SOUND_TASK = {"task_key": "t", "timeout_seconds": 10, "max_retries": 1, "min_retry_interval_millis": 1}
WHEEL = {"lakeloop": {"type": "whl", "path": ".", "build": "b --wheel-dir dist", "dynamic_version": True}}

BROKEN: list[tuple[Check, Documents, list[str]]] = [
    (checks.unknown_keys, main(target={}), ["databricks.yml: target is not a key of a bundle."]),
    (
        checks.refused_resources,
        main(resources={"jobs": {"j": {"nmae": "x", "tasks": []}}}),
        ["jobs.j has no name.", "jobs.j: Unexpected field 'nmae' for class Job."],
    ),
    (
        checks.refused_resources,
        job(name="j", tasks=[{"task_key": "t", "run_if": "MAYBE"}]),
        ["jobs.j: 'MAYBE' is not a valid RunIf."],
    ),
    (
        checks.refused_resources,
        main(resources={"registered_models": {"m": {"name": "m", "catalog_name": "c"}}}),
        ["registered_models.m has no schema_name."],
    ),
    (
        checks.refused_resources,
        main(resources={"volumes": {"v": {"name": "v", "volume_type": "MANGED"}}}),
        ["volumes.v: 'MANGED' is not a valid VolumeType."],
    ),
    (
        checks.refused_resources,
        main(
            resources={"jobs": {"j": {"name": "j", "tasks": []}}},
            targets={"prod": {"resources": {"jobs": {"j": {"runas": {}}}}}},
        ),
        ["targets.prod: jobs.j: Unexpected field 'runas' for class Job."],
    ),
    (
        checks.refused_resources,
        main(resources={"jobz": {"j": {}}}),
        ["databricks.yml: jobz is not a kind of resource that is checked here."],
    ),
    (
        checks.duplicate_resources,
        main(resources={"jobs": {"j": {}}}) | {"a.yml": {"resources": {"jobs": {"j": {}}}}},
        ["a.yml: jobs.j is in databricks.yml already."],
    ),
    (
        checks.undeclared_references,
        main(variables={"a": {"default": "${var.b}"}}),
        ["databricks.yml: ${var.b} refers to nothing."],
    ),
    (
        checks.undeclared_references,
        job(name="${resources.schemas.s.name}"),
        ["resources/j.yml: ${resources.schemas.s.name} refers to nothing."],
    ),
    (
        checks.undeclared_references,
        main(resources={"schemas": {"s": {"comment": "${resources.schemas.s.nmae}"}}}),
        ["databricks.yml: ${resources.schemas.s.nmae} refers to nothing."],
    ),
    (
        checks.undeclared_references,
        job(tasks=["${bundle.targt} on ${workspace.filepath}"]),
        [
            "resources/j.yml: ${bundle.targt} refers to nothing.",
            "resources/j.yml: ${workspace.filepath} refers to nothing.",
        ],
    ),
    (
        checks.variable_problems,
        main(variables={"a": {"default": ""}, "b": {"description": "see ${var.b}"}}),
        ["variables.a is used nowhere.", "variables.b has no default; then nothing deploys without it."],
    ),
    (
        checks.variable_problems,
        main(variables={"a": {"default": ["${var.a}"]}}),
        ["variables.a is more than a text; its type must be complex."],
    ),
    (
        checks.names_past_the_schema,
        main(
            resources={
                "schemas": {"s": {"catalog_name": "${var.catalog}", "name": "${var.schema}"}},
                "volumes": {"v": {"schema_name": "${var.schema}"}},
            }
        ),
        ["volumes.v uses ${var.schema}; in development the schema has another name."],
    ),
    (
        checks.names_past_the_schema,
        call("--set", "environment.catalog=${var.catalog}"),
        ["jobs.j uses ${var.catalog}; in development the schema has another name."],
    ),
    (
        checks.dependency_problems,
        task(depends_on=[{"task_key": "u"}]),
        ["jobs.j.t depends on u, no task."],
    ),
    (
        checks.dependency_problems,
        job(
            tasks=[
                {"task_key": "a"},
                {"task_key": "b", "depends_on": [{"task_key": "a"}, {"task_key": "c"}]},
                {"task_key": "c", "depends_on": [{"task_key": "b"}]},
            ]
        ),
        ["jobs.j runs in a circle: b, c."],
    ),
    (
        checks.dependency_problems,
        job(tasks=[{"task_key": "a"}, {"task_key": "a"}]),
        ["jobs.j has a twice."],
    ),
    (
        checks.environment_problems,
        task(environment_key="defualt"),
        ["jobs.j.t runs in defualt, no environment of its job."],
    ),
    (checks.environment_problems, task(), ["jobs.j.t runs in None, no environment of its job."]),
    (
        checks.environment_problems,
        job(environments=[{"environment_key": "e", "spec": {"client": "5"}}]),
        ["jobs.j: environment e needs environment_version, and not client."],
    ),
    (
        checks.reliability_problems,
        job(),
        [
            "jobs.j does not queue.",
            "jobs.j may run beside itself.",
            "jobs.j tells nobody of a failure.",
            "jobs.j may run for ever.",
        ],
    ),
    (
        checks.reliability_problems,
        job(**SOUND_JOB, tasks=[SOUND_TASK, {"task_key": "u", "timeout_seconds": 101}]),
        ["jobs.j.u has no timeout within its job's.", "jobs.j.u does not say how often it is retried."],
    ),
    (
        checks.reliability_problems,
        job(**SOUND_JOB, tasks=[{**SOUND_TASK, "max_retries": 0}]),
        ["jobs.j.t is retried by serverless compute all the same."],
    ),
    (
        checks.reliability_problems,
        job(**SOUND_JOB, tasks=[{**SOUND_TASK, "min_retry_interval_millis": 0}]),
        ["jobs.j.t is retried without a pause."],
    ),
    (
        checks.argument_problems,
        call("conf/flights", *GOOD_CALL[1:]),
        ["jobs.j.t does not start with its folder below ${workspace.file_path}/conf."],
    ),
    (
        checks.argument_problems,
        call(*GOOD_CALL, "--set"),
        ["jobs.j.t is not called with --env and --set, each with a value."],
    ),
    (
        checks.argument_problems,
        call(GOOD_CALL[0], "--env", "prod", *GOOD_CALL[3:]),
        ["jobs.j.t does not run in the environment of its target."],
    ),
    (
        checks.argument_problems,
        call(*GOOD_CALL[:-1], "environment.model=main.lakeloop.flights"),
        ["jobs.j.t is given main.lakeloop.flights as environment.model."],
    ),
    (
        checks.argument_problems,
        call(*GOOD_CALL[:-2], "--set", "environment.modle=${resources.registered_models.m.id}"),
        [
            "jobs.j.t is given nothing as environment.model.",
            "jobs.j.t is given ${resources.registered_models.m.id} as environment.modle.",
        ],
    ),
    (
        checks.schedule_problems,
        schedule("0 0 5 * *", "Mars", "STOPPED"),
        [
            "jobs.j: '0 0 5 * *' has 5 fields, not 6 or 7.",
            "jobs.j: Mars is no time zone.",
            "jobs.j: 'STOPPED' is no pause status, in dev.",
        ],
    ),
    (
        checks.schedule_problems,
        {
            **schedule("0 0 5 * * ?", status="${var.status}"),
            **main(
                variables={"status": {"default": "PAUSED"}},
                targets={"dev": {}, "prod": {"variables": {"status": "RUNNING"}}},
            ),
        },
        ["jobs.j: 'RUNNING' is no pause status, in prod."],
    ),
    (
        checks.target_problems,
        main(targets={"dev": {"default": True}, "prod": {"mode": "production", "default": True}}),
        [
            "Exactly one target must be the default.",
            "targets.prod is production without workspace.root_path.",
        ],
    ),
    (
        checks.target_problems,
        main(targets={"dev": {"default": True, "variables": {"a": 1}, "resources": {"jobs": {"j": {}}}}}),
        ["targets.dev sets a, no variable.", "targets.dev overrides jobs.j, no resource."],
    ),
    (
        checks.run_as_problems,
        main(run_as={"user_name": "u"}, resources={"model_serving_endpoints": {"e": {}}}),
        ["the bundle sets run_as, which model_serving_endpoints cannot follow; set it on the jobs."],
    ),
    (
        checks.run_as_problems,
        main(targets={"prod": {"run_as": {"user_name": "u"}, "resources": {"quality_monitors": {"m": {}}}}}),
        ["targets.prod sets run_as, which quality_monitors cannot follow; set it on the jobs."],
    ),
    (
        checks.wheel_problems,
        main(artifacts={"lakeloop": {"build": "b --wheel-dir out"}}),
        [
            "artifacts.lakeloop is not said to be a wheel.",
            "artifacts.lakeloop builds the same version again and again.",
            "artifacts.lakeloop builds into out, not dist.",
        ],
    ),
    (
        checks.wheel_problems,
        job(environments=[{"environment_key": "e", "spec": {"dependencies": ["./dist/*.whl"]}}])
        | main(artifacts=WHEEL),
        ["jobs.j: e does not install the wheel."],
    ),
    (
        checks.sync_problems,
        call() | main(sync={"paths": ["./jobs", "lakehouse"]}),
        ["sync.paths leaves conf out.", "sync.paths takes lakehouse along, which no task needs."],
    ),
    (
        checks.sync_problems,
        call(),
        [
            "sync.paths leaves conf out.",
            "sync.paths leaves jobs out.",
            "sync.paths takes . along, which no task needs.",
        ],
    ),
]


@pytest.mark.parametrize(
    ("check", "broken", "problems"),
    BROKEN,
    ids=[f"{check.__name__}: {problems[0]}" for check, _, problems in BROKEN],
)
def test_a_check_refuses(check: Check, broken: Documents, problems: list[str]) -> None:
    assert check(broken) == problems


def test_every_check_has_been_seen_to_refuse() -> None:
    assert {check for check, _, _ in BROKEN} == set(CHECKS)


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        ([("a", []), ("b", ["a"])], []),
        ([("a", []), ("b", [])], ["jobs.j is not the chain a → b."]),
        ([("b", []), ("a", ["b"])], ["jobs.j is not the chain a → b."]),
        ([("a", [])], ["jobs.j is not the chain a → b."]),
    ],
)
def test_a_chain_is_told_from_another_order(keys: list[tuple[str, list[str]]], problems: list[str]) -> None:
    broken = job(
        tasks=[
            {
                "task_key": key,
                "depends_on": [{"task_key": wanted} for wanted in after],
                "spark_python_task": {"python_file": f"../jobs/{key}.py"},
            }
            for key, after in keys
        ]
    )
    assert checks.order_problems(broken, "j", ("a", "b")) == problems


def test_a_stage_that_runs_anothers_file_is_refused() -> None:
    assert checks.order_problems(task(spark_python_task={"python_file": "../jobs/u.py"}), "j", ("t",)) == [
        "jobs.j.t runs the file of another stage."
    ]


def test_a_job_that_is_not_there_is_not_in_order() -> None:
    assert checks.order_problems(job(), "daily", DAILY) == ["jobs.daily is not there."]


def test_a_missing_file_is_looked_for_beside_the_document_that_names_it() -> None:
    broken = call() | main(variables={"pipeline": {"default": "trips"}}, targets={"dev": None})
    there = {"jobs/t.py", "conf/env/dev.yml", "conf/trips/pipeline.yml"}
    assert checks.missing_files(broken, there.__contains__) == []
    assert checks.missing_files(broken, lambda path: False) == [
        "resources/j.yml: jobs/t.py is not there.",
        "databricks.yml: conf/env/dev.yml is not there.",
        "databricks.yml: conf/trips/pipeline.yml is not there.",
    ]


# --- Quartz ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "0 30 5 * * ?",
        "0 0 12 ? * SUN",
        "0 0/15 8-18 ? * MON-FRI",
        "0,30 0 0 1,15 jan-mar ? 2030",
        "0 0 0 L * ?",
        "0 0 0 L-3 * ?",
        "0 0 0 LW * ?",
        "0 0 0 15W * ?",
        "0 0 0 ? * 6L",
        "0 0 0 ? * FRI#2",
        "0 0 0 */2 * ? 2030-2035/5",
    ],
)
def test_what_quartz_understands_passes(expression: str) -> None:
    assert checks.quartz_problems(expression) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("30 5 * * *", "has 5 fields, not 6 or 7."),
        ("", "has 0 fields, not 6 or 7."),
        ("0 0 5 * * ? 2030 1", "has 8 fields, not 6 or 7."),
        ("60 0 5 * * ?", "60 is no second."),
        ("0 60 5 * * ?", "60 is no minute."),
        ("0 0 24 * * ?", "24 is no hour."),
        ("0 0 5 0 * ?", "0 is no day of the month."),
        ("0 0 5 32 * ?", "32 is no day of the month."),
        ("0 0 5 32W * ?", "32W is no day of the month."),
        ("0 0 5 * 13 ?", "13 is no month."),
        ("0 0 5 * MAI ?", "MAI is no month."),
        ("0 0 5 ? * 0", "0 is no day of the week."),
        ("0 0 5 ? * 8", "8 is no day of the week."),
        ("0 0 5 ? * FRI#6", "FRI#6 is no day of the week."),
        ("0 0 5 * * ? 1969", "1969 is no year."),
        ("0 0 ? * * ?", "? is no hour."),
        ("0 0 -5 * * ?", "-5 is no hour."),
        ("0 0 5, * * ?", " is no hour."),
        ("0 0 5-4 * * ?", "5-4 runs backwards."),
        ("0 0 1-2-3 * * ?", "1-2-3 is no hour."),
        ("0 0/0 5 * * ?", "0/0 is no step for the minute."),
        ("0 0/60 5 * * ?", "0/60 is no step for the minute."),
        ("0 0/ 5 * * ?", "0/ is no step for the minute."),
        ("0 0 5 * * *", "exactly one of day of the month and day of the week must be ?."),
        ("0 0 5 ? * ?", "exactly one of day of the month and day of the week must be ?."),
        ("0 0 5 1 * MON", "exactly one of day of the month and day of the week must be ?."),
    ],
)
def test_what_quartz_does_not_understand_is_refused(expression: str, problem: str) -> None:
    [found] = checks.quartz_problems(expression)
    assert found.endswith(problem)
