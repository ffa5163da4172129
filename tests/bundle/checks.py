"""What neither the bundle's JSON schema nor the `databricks-bundles` classes notice before a deployment.

A check takes the bundle's documents (path below the root → content) and returns problems, a sentence each.
Checks read nothing but their arguments, so that a test can hand each one a bundle that is broken on purpose.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import yaml
from databricks.bundles.jobs import Job
from databricks.bundles.registered_models import RegisteredModel
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

Documents = Mapping[str, Mapping[str, Any]]
Check = Callable[[Documents], list[str]]

MAIN = "databricks.yml"
ROOT_KEYS = {
    *("bundle", "include", "variables", "artifacts", "sync", "targets", "workspace", "resources"),
    *("experimental", "permissions", "presets", "run_as"),
}
KINDS: dict[str, Callable[[Any], object]] = {
    "jobs": Job.from_dict,
    "schemas": Schema.from_dict,
    "volumes": Volume.from_dict,
    "registered_models": RegisteredModel.from_dict,
}
# What a deployment needs and the classes let pass.
REQUIRED = {"jobs": {"name", "tasks"}, "registered_models": {"catalog_name", "schema_name", "name"}}
# What other resources may ask of one, and what the CLI itself fills in.
ATTRIBUTES = {
    "jobs": ("id",),
    "schemas": ("id", "name", "catalog_name"),
    "volumes": ("id", "name", "volume_path"),
    "registered_models": ("id", "name"),
}
KNOWN = {"bundle.name", "bundle.target", "workspace.file_path", "workspace.current_user.userName"}
REFERENCE = re.compile(r"\$\{([^}]*)\}")
# The settings that a job takes from what is deployed, whose names are known only there.
SETTINGS = {
    "environment.catalog": r"\$\{resources\.schemas\.\w+\.catalog_name\}",
    "environment.schema": r"\$\{resources\.schemas\.\w+\.name\}",
    "environment.landing": r"\$\{var\.landing_path\}",
    "environment.model": r"\$\{resources\.registered_models\.\w+\.id\}",
}


def read_documents(root: Path) -> dict[str, Mapping[str, Any]]:
    """The bundle's main file and every file that it includes."""
    main = yaml.safe_load((root / MAIN).read_text(encoding="utf8"))
    included = sorted(path for pattern in main.get("include", []) for path in root.glob(pattern))
    others = {path.relative_to(root).as_posix(): yaml.safe_load(path.read_text("utf8")) for path in included}
    return {MAIN: main, **others}


# --- walking -----------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A resource and the document that declares it."""

    path: str
    kind: str
    name: str
    content: Mapping[str, Any]

    @property
    def tasks(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.content.get("tasks", [])
        return found


def resources(documents: Documents) -> Iterator[Found]:
    """Every declared resource, without what targets override."""
    for path, document in documents.items():
        for kind, group in document.get("resources", {}).items():
            for name, content in group.items():
                yield Found(path, kind, name, content)


def jobs(documents: Documents) -> list[Found]:
    return [found for found in resources(documents) if found.kind == "jobs"]


def references(value: object) -> Iterator[str]:
    """The inside of every `${…}` below a value."""
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from references(item)


def targets(documents: Documents) -> Mapping[str, Mapping[str, Any]]:
    return {name: target or {} for name, target in documents[MAIN].get("targets", {}).items()}


def variables(documents: Documents) -> Mapping[str, Mapping[str, Any]]:
    declared: Mapping[str, Mapping[str, Any]] = documents[MAIN].get("variables", {})
    return declared


def beside(document: str, path: str) -> str:
    """A path that a document gives, from the bundle's root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), path))


# --- keys and references -----------------------------------------------------------------------------------


def unknown_keys(documents: Documents) -> list[str]:
    """The JSON schema lets any key pass at the root, and the CLI only warns."""
    return [
        f"{path}: {key} is not a key of a bundle."
        for path, document in documents.items()
        for key in document
        if key not in ROOT_KEYS
    ]


def refused_resources(documents: Documents) -> list[str]:
    """Unknown fields, missing fields and bad values, as the package's own classes see them, in any target."""
    problems = []
    for path, kind, name, content in resources(documents):
        if kind not in KINDS:
            problems.append(f"{path}: {kind} is not a kind of resource that is checked here.")
            continue
        missing = sorted(REQUIRED.get(kind, set()) - content.keys())
        problems += [f"{kind}.{name} has no {field}." for field in missing]
        overrides = {"": {}} | {
            f"targets.{target}: ": changed.get("resources", {}).get(kind, {}).get(name, {})
            for target, changed in targets(documents).items()
        }
        for place, override in overrides.items():
            try:
                KINDS[kind]({**content, **override})
            except (TypeError, ValueError) as error:
                problems.append(f"{place}{kind}.{name}: {error}.")
                break
    return problems


def duplicate_resources(documents: Documents) -> list[str]:
    """Files are merged, so that a second one of the same name changes the first instead of adding to it."""
    first: dict[tuple[str, str], str] = {}
    problems = []
    for path, kind, name, _ in resources(documents):
        if (kind, name) in first:
            problems.append(f"{path}: {kind}.{name} is in {first[kind, name]} already.")
        first.setdefault((kind, name), path)
    return problems


def undeclared_references(documents: Documents) -> list[str]:
    """A `${…}` that names no variable, no resource, and nothing that the CLI knows."""
    known = KNOWN | {f"var.{name}" for name in variables(documents)}
    for _, kind, name, _ in resources(documents):
        known |= {f"resources.{kind}.{name}.{attribute}" for attribute in ATTRIBUTES.get(kind, ())}
    return [
        f"{path}: ${{{reference}}} refers to nothing."
        for path, document in documents.items()
        for reference in references(document)
        if reference not in known
    ]


def variable_problems(documents: Documents) -> list[str]:
    used = set(references(list(documents.values())))
    problems = []
    for name, variable in variables(documents).items():
        if f"var.{name}" not in used:
            problems.append(f"variables.{name} is used nowhere.")
        if "default" not in variable:
            problems.append(f"variables.{name} has no default; then nothing deploys without it.")
        elif not isinstance(variable["default"], str) and variable.get("type") != "complex":
            problems.append(f"variables.{name} is more than a text; its type must be complex.")
    return problems


def names_past_the_schema(documents: Documents) -> list[str]:
    """Development prefixes the schema's name, so all but the schema itself must ask the schema for it."""
    return [
        f"{found.kind}.{found.name} uses ${{{reference}}}; in development the schema has another name."
        for found in resources(documents)
        if found.kind != "schemas"
        for reference in references(found.content)
        if reference in ("var.catalog", "var.schema")
    ]


# --- tasks -------------------------------------------------------------------------------------------------


def dependency_problems(documents: Documents) -> list[str]:
    problems = []
    for job in jobs(documents):
        keys = [task["task_key"] for task in job.tasks]
        needs = {task["task_key"]: {item["task_key"] for item in task.get("depends_on", [])} for task in job.tasks}
        problems += [f"jobs.{job.name} has {key} twice." for key in needs if keys.count(key) > 1]
        for key, wanted in needs.items():
            problems += [f"jobs.{job.name}.{key} depends on {w}, no task." for w in sorted(wanted - needs.keys())]
        if ring := circle(needs):
            problems.append(f"jobs.{job.name} runs in a circle: {', '.join(ring)}.")
    return problems


def circle(needs: Mapping[str, set[str]]) -> list[str]:
    """The tasks that can never start because they wait, in the end, for themselves."""
    waiting = dict(needs)
    while ready := [key for key, wanted in waiting.items() if not wanted & waiting.keys()]:
        for key in ready:
            del waiting[key]
    return sorted(waiting)


def environment_problems(documents: Documents) -> list[str]:
    problems = []
    for job in jobs(documents):
        environments = job.content.get("environments", [])
        given = {item["environment_key"]: item.get("spec", {}) for item in environments}
        for key, spec in given.items():
            if "environment_version" not in spec or "client" in spec:
                problems.append(f"jobs.{job.name}: environment {key} needs environment_version, and not client.")
        for task in job.tasks:
            if (key := task.get("environment_key")) not in given:
                problems.append(f"jobs.{job.name}.{task['task_key']} runs in {key}, no environment of its job.")
    return problems


def reliability_problems(documents: Documents) -> list[str]:
    """A job waits its turn, ends, and tells somebody; a task says whether it may be tried again."""
    problems = []
    for job in jobs(documents):
        if not job.content.get("queue", {}).get("enabled"):
            problems.append(f"jobs.{job.name} does not queue.")
        if job.content.get("max_concurrent_runs") != 1:
            problems.append(f"jobs.{job.name} may run beside itself.")
        if not job.content.get("email_notifications", {}).get("on_failure"):
            problems.append(f"jobs.{job.name} tells nobody of a failure.")
        limit = job.content.get("timeout_seconds", 0)
        if not limit:
            problems.append(f"jobs.{job.name} may run for ever.")
        for task in job.tasks:
            problems += [f"jobs.{job.name}.{task['task_key']} {what}." for what in task_problems(task, limit)]
    return problems


def task_problems(task: Mapping[str, Any], limit: int) -> Iterator[str]:
    if not 0 < task.get("timeout_seconds", 0) <= limit:
        yield "has no timeout within its job's"
    if "max_retries" not in task:
        yield "does not say how often it is retried"
    elif task["max_retries"] == 0 and not task.get("disable_auto_optimization"):
        yield "is retried by serverless compute all the same"
    elif task["max_retries"] != 0 and not task.get("min_retry_interval_millis"):
        yield "is retried without a pause"


def argument_problems(documents: Documents) -> list[str]:
    return [
        f"jobs.{job.name}.{task['task_key']} {problem}."
        for job in jobs(documents)
        for task in job.tasks
        for problem in call_problems(task.get("spark_python_task", {}).get("parameters", []))
    ]


def call_problems(arguments: Sequence[str]) -> Iterator[str]:
    """`CONF_FOLDER --env NAME [--set key=value …]`, where the values come from what is deployed."""
    if not (arguments and arguments[0].startswith("${workspace.file_path}/conf/")):
        yield "does not start with its folder below ${workspace.file_path}/conf"
    pairs = list(zip(arguments[1::2], arguments[2::2], strict=False))
    if len(arguments) % 2 == 0 or {option for option, _ in pairs} != {"--env", "--set"}:
        yield "is not called with --env and --set, each with a value"
    if ("--env", "${bundle.target}") not in pairs:
        yield "does not run in the environment of its target"
    given = dict(value.partition("=")[::2] for option, value in pairs if option == "--set")
    for key in sorted({*given, *SETTINGS}):
        if not re.fullmatch(SETTINGS.get(key, "nothing"), given.get(key, "")):
            yield f"is given {given.get(key, 'nothing')} as {key}"


def order_problems(documents: Documents, job_name: str, stages: Sequence[str]) -> list[str]:
    """The job must be a chain of these stages, each its own file."""
    found = [job for job in jobs(documents) if job.name == job_name]
    if not found:
        return [f"jobs.{job_name} is not there."]
    chain = [(task["task_key"], [item["task_key"] for item in task.get("depends_on", [])]) for task in found[0].tasks]
    problems = []
    if chain != list(zip(stages, [[], *[[stage] for stage in stages[:-1]]], strict=True)):
        problems.append(f"jobs.{job_name} is not the chain {' → '.join(stages)}.")
    for task in found[0].tasks:
        if not task["spark_python_task"]["python_file"].endswith(f"/{task['task_key']}.py"):
            problems.append(f"jobs.{job_name}.{task['task_key']} runs the file of another stage.")
    return problems


def missing_files(documents: Documents, exists: Callable[[str], bool]) -> list[str]:
    """A task's file, counted from the document that names it; each target's environment; the use case."""
    needed = [(job.path, path) for job in jobs(documents) for path in python_files(job)]
    needed += [(MAIN, f"conf/env/{target}.yml") for target in targets(documents)]
    needed += [(MAIN, f"conf/{variables(documents)['pipeline']['default']}/pipeline.yml")]
    return [f"{document}: {path} is not there." for document, path in needed if not exists(path)]


def python_files(job: Found) -> list[str]:
    return [beside(job.path, task["spark_python_task"]["python_file"]) for task in job.tasks]


# --- schedules ---------------------------------------------------------------------------------------------


class Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = ""


MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DAY_OF_MONTH = r"\?|L|LW|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|3[01])W"
DAY_OF_WEEK = rf"\?|L|([1-7]|{'|'.join(DAYS)})(L|#[1-5])"
# Databricks reads schedules as Quartz does: seconds first, and the days of the week from 1, Sunday.
QUARTZ = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31, special=DAY_OF_MONTH),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 1, 7, DAYS, DAY_OF_WEEK),
    Field("year", 1970, 2099),
)


def quartz_problems(expression: str) -> list[str]:
    parts = expression.upper().split()
    if len(parts) not in (6, 7):
        return [f"{expression!r} has {len(parts)} fields, not 6 or 7."]
    problems = [
        f"{expression!r}: {problem}."
        for field, part in zip(QUARTZ, parts, strict=False)
        if not (field.special and re.fullmatch(field.special, part))
        for item in part.split(",")
        if (problem := item_problem(field, item))
    ]
    if [parts[3], parts[5]].count("?") != 1:
        problems.append(f"{expression!r}: exactly one of day of the month and day of the week must be ?.")
    return problems


def item_problem(field: Field, item: str) -> str | None:
    """What is wrong with one item of a field's list: `*`, a value or a range, perhaps with a step."""
    base, slash, step = item.partition("/")
    if slash and not (re.fullmatch(r"[0-9]+", step) and 1 <= int(step) <= field.high):
        return f"{item} is no step for the {field.name}"
    if base == "*":
        return None
    bounds = [field_value(field, text) for text in base.split("-")]
    values = [value for value in bounds if value is not None]
    if len(bounds) > 2 or len(values) < len(bounds):
        return f"{item} is no {field.name}"
    return f"{item} runs backwards" if values != sorted(values) else None


def field_value(field: Field, text: str) -> int | None:
    if text in field.names:
        return field.low + field.names.index(text)
    if re.fullmatch(r"[0-9]+", text) and field.low <= int(text) <= field.high:
        return int(text)
    return None


def schedule_problems(documents: Documents) -> list[str]:
    problems = []
    for job in jobs(documents):
        schedule = job.content.get("schedule", {})
        problems += [f"jobs.{job.name}: {what}" for what in quartz_problems(schedule.get("quartz_cron_expression", ""))]
        if schedule.get("timezone_id") not in available_timezones():
            problems.append(f"jobs.{job.name}: {schedule.get('timezone_id')} is no time zone.")
        for target, status in in_targets(documents, schedule.get("pause_status", "")).items():
            if status not in ("PAUSED", "UNPAUSED"):
                problems.append(f"jobs.{job.name}: {status!r} is no pause status, in {target}.")
    return problems


def in_targets(documents: Documents, written: str) -> dict[str, str]:
    """What a value, perhaps a variable, comes to in each target."""
    name = written.removeprefix("${var.").removesuffix("}")
    default = variables(documents).get(name, {}).get("default", written)
    return {target: content.get("variables", {}).get(name, default) for target, content in targets(documents).items()}


# --- targets, wheel, files ---------------------------------------------------------------------------------


def target_problems(documents: Documents) -> list[str]:
    declared = {(found.kind, found.name) for found in resources(documents)}
    problems = []
    if [bool(target.get("default")) for target in targets(documents).values()].count(True) != 1:
        problems.append("Exactly one target must be the default.")
    for name, target in targets(documents).items():
        if target.get("mode") == "production" and not target.get("workspace", {}).get("root_path"):
            problems.append(f"targets.{name} is production without workspace.root_path.")
        for variable in target.get("variables", {}):
            if variable not in variables(documents):
                problems.append(f"targets.{name} sets {variable}, no variable.")
        for kind, group in target.get("resources", {}).items():
            for key in group:
                if (kind, key) not in declared:
                    problems.append(f"targets.{name} overrides {kind}.{key}, no resource.")
    return problems


def run_as_problems(documents: Documents) -> list[str]:
    """The CLI refuses a run_as above the jobs where something in the bundle cannot run as another."""
    kinds = {found.kind for found in resources(documents)}
    for target in targets(documents).values():
        kinds |= set(target.get("resources", {}))
    stuck = sorted(kinds & {"apps", "model_serving_endpoints", "quality_monitors"})
    places = {"the bundle": documents[MAIN], **{f"targets.{k}": v for k, v in targets(documents).items()}}
    return [
        f"{place} sets run_as, which {kind} cannot follow; set it on the jobs."
        for place, content in places.items()
        if "run_as" in content
        for kind in stuck
    ]


def wheel_problems(documents: Documents) -> list[str]:
    """The jobs must install what the bundle builds, and no build may pass for the one before it."""
    problems, wheels = [], []
    for name, artifact in documents[MAIN].get("artifacts", {}).items():
        # The CLI empties dist/ below the artifact's path before it builds, and looks for wheels there.
        path = artifact.get("path", ".")
        folder = posixpath.normpath(f"{path}/dist")
        wheels.append(f"{folder}/{name}-1.0-py3-none-any.whl")
        if artifact.get("type") != "whl":
            problems.append(f"artifacts.{name} is not said to be a wheel.")
        if not artifact.get("dynamic_version"):
            problems.append(f"artifacts.{name} builds the same version again and again.")
        written = re.search(r"--(?:wheel-dir|outdir)[ =](\S+)", artifact.get("build", ""))
        if written and posixpath.normpath(f"{path}/{written[1]}") != folder:
            problems.append(f"artifacts.{name} builds into {written[1]}, not {folder}.")
    for job in jobs(documents):
        for environment in job.content.get("environments", []):
            paths = [beside(job.path, item) for item in environment.get("spec", {}).get("dependencies", [])]
            if not any(fnmatch(wheel, path) for wheel in wheels for path in paths):
                problems.append(f"jobs.{job.name}: {environment['environment_key']} does not install the wheel.")
    return problems


def sync_problems(documents: Documents) -> list[str]:
    """What the tasks run and read must go along; everything else stays here."""
    paths = {posixpath.normpath(path) for path in documents[MAIN].get("sync", {}).get("paths", ["."])}
    needed = {"conf"} | {path.split("/")[0] for job in jobs(documents) for path in python_files(job)}
    missing = [f"sync.paths leaves {folder} out." for folder in sorted(needed - paths)]
    return missing + [f"sync.paths takes {folder} along, which no task needs." for folder in sorted(paths - needed)]


CHECKS: tuple[Check, ...] = (
    unknown_keys,
    refused_resources,
    duplicate_resources,
    undeclared_references,
    variable_problems,
    names_past_the_schema,
    dependency_problems,
    environment_problems,
    reliability_problems,
    argument_problems,
    schedule_problems,
    target_problems,
    run_as_problems,
    wheel_problems,
    sync_problems,
)
