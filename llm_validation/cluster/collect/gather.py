"""Read everything that the sources of a run hold and compare it with itself: steps, dumps, evaluations, findings.

A step is complete when its line in the log is whole and so are the dumps of responses that there are of it; a
validation when it has all its responses. What is not complete is dropped in the accounts of its files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llm_validation.cluster.collect.collection import Collection, NothingFoundError, name_of_run
from llm_validation.cluster.collect.gather_dumps import read_dumped_steps
from llm_validation.cluster.collect.gather_evaluations import evaluate
from llm_validation.cluster.collect.logs.entries import Entry
from llm_validation.cluster.collect.logs.lines import ranges
from llm_validation.cluster.collect.logs.merge import Merged, StepRecord, merge, summary
from llm_validation.cluster.collect.logs.resumes import is_validation
from llm_validation.cluster.collect.logs.shared import READ
from llm_validation.cluster.collect.logs.tensorboard import EVENT_UNIT
from llm_validation.cluster.collect.reasons import HALF_LOGGED, NOT_ASKED_FOR, NOT_WHOLE
from llm_validation.cluster.collect.sources import FILE, DumpFile, SourceFiles
from llm_validation.common.reading_bar import Announce

_EVERY_STEP = range(2**62)


def gather(
    files: SourceFiles,
    *,
    wanted: range | None = None,
    responses: int | None = None,
    announce: Announce | None = None,
) -> Collection:
    """Read all files of a run.

    Args:
        files: which.
        wanted: the steps to keep; all where None.
        responses: how many a whole step has, where the configuration does not state it or states it otherwise.
        announce: called before each file.

    Raises:
        ValueError: a file that cannot be what its name says.
        NothingFoundError: there is no complete step and no evaluation.
        OSError: a file cannot be read.
    """
    collection = Collection(files, announce)
    steps = _EVERY_STEP if wanted is None else wanted
    _read_logs(collection)
    collection.run = name_of_run(collection)
    _keep(collection, steps)
    read_dumped_steps(collection, steps)
    _settle_steps(collection, responses)
    evaluate(collection, steps)
    collection.findings.sort(key=lambda finding: (finding.step, finding.metric))
    collection.summary = summary(collection.merged)
    if not collection.merged.steps and not collection.evaluations:
        names = ", ".join(account.name for account in collection.accounts)
        known = f"; {READ}" if FILE in files.kinds else ""
        raise NothingFoundError(
            f"no complete step and no evaluation in {names or 'the sources: no file to read'}{known}"
        )
    return collection


def _read_logs(collection: Collection) -> None:
    entries: list[Entry] = []
    logs = collection.files.logs
    for order, (file, reader, attempt) in enumerate(logs):
        collection.say(file, order, len(logs))
        entries += reader(file.path, collection.open_account(file), attempt)
    _refuse_launches(collection, entries)
    collection.merged = merge(entries, collection.files.starts)
    _drop_half_logged(collection.merged)


def _refuse_launches(collection: Collection, entries: Sequence[Entry]) -> None:
    """Refuse a folder of event files that several launches from the beginning have left side by side.

    A file that goes on from a checkpoint is an attempt of the same run; one that begins where the first began is
    another run, or the same one started anew, and nothing in the files tells which.

    Raises:
        ValueError: with the steps of each.
    """
    steps: dict[int, list[int]] = {}
    for entry in entries:
        if entry.attempt in collection.files.side_by_side and any(not is_validation(name) for name in entry.metrics):
            steps.setdefault(entry.attempt, []).append(entry.step)
    earliest = min((min(of_file) for of_file in steps.values()), default=0)
    launches = {attempt: of_file for attempt, of_file in steps.items() if min(of_file) == earliest}
    if len(launches) < 2:
        return
    names = {log.attempt: log.file.label for log in collection.files.logs}
    found = "; ".join(f"{names[one]} has the steps {ranges(sorted(set(seen)))}" for one, seen in launches.items())
    raise ValueError(
        f"SOURCE must be of one run; the event files are of {len(launches)} launches, each from step {earliest} "
        f"({found}); give the files of one run, in the order of its attempts"
    )


def _drop_half_logged(merged: Merged) -> None:
    """Drop the last step of an event file that stops between its metrics: it lacks some that the one before it has."""
    by_file: dict[int, list[StepRecord]] = {}
    for record in merged.steps:
        if record.trained and record.entries[-1].account.unit == EVENT_UNIT:
            by_file.setdefault(id(record.entries[-1].account), []).append(record)
    for records in by_file.values():
        if len(records) > 1 and _training_names(records[-2]) - _training_names(records[-1]):
            records[-1].drop(HALF_LOGGED)
    _forget_empty(merged)


def _training_names(record: StepRecord) -> set[str]:
    return {name for name in record.metrics if not is_validation(name)}


def _forget_empty(merged: Merged) -> None:
    merged.steps = [record for record in merged.steps if record.metrics]


def _keep(collection: Collection, wanted: range) -> None:
    """Keep only the steps asked for; dumps that are of another step by their name are not read at all."""
    merged = collection.merged
    for record in merged.steps:
        if record.step not in wanted:
            record.drop(NOT_ASKED_FOR)
    merged.steps = [record for record in merged.steps if record.step in wanted]
    merged.first = max(wanted.start, 1)
    for kind, dumps in collection.files.dumps.items():
        collection.files.dumps[kind] = [dump for dump in dumps if _may_hold(dump, wanted)]


def _may_hold(dump: DumpFile, wanted: range) -> bool:
    return dump.step is None or dump.step in wanted


def _settle_steps(collection: Collection, responses: int | None) -> None:
    """Drop the steps whose dumps are not whole, and note the findings of those that are."""
    merged, dumped = collection.merged, collection.dumped
    expected = responses or collection.files.settings.responses
    if expected is None:
        expected = _most_dumped(collection)
    for record in merged.steps:
        if record.trained:
            _drop_if_not_whole(collection, record, expected)
    _forget_empty(merged)
    for steps in dumped.values():
        for dumped_step in steps.values():
            collection.findings += dumped_step.findings
    rolled = dumped["rollouts"]
    without = [record.step for record in merged.steps if record.trained and record.step not in rolled]
    if rolled and without:
        collection.notes.append(
            f"no rollouts were dumped of the steps {ranges(without)}: nothing was recomputed from them"
        )


def _most_dumped(collection: Collection) -> int | None:
    """Return the responses of the fullest dump, and note that they are taken for a whole step; None without a dump."""
    counts: Counter[int] = Counter()
    for steps in collection.dumped.values():
        counts.update(dumped_step.responses for dumped_step in steps.values())
    most = max(counts, default=None)
    if most is not None:
        collection.notes.append(f"a whole step is taken to have {most} responses, as the fullest dump has")
    return most


def _drop_if_not_whole(collection: Collection, record: StepRecord, expected: int | None) -> None:
    """Drop a step, its log and all its dumps, if one of these has fewer responses than a whole step."""
    there = {kind: steps[record.step] for kind, steps in collection.dumped.items() if record.step in steps}
    short = {kind: dumped.responses for kind, dumped in there.items() if dumped.responses < (expected or 1)}
    if not short:
        return
    counts = ", ".join(f"{kind} {count} of {expected or 'its'} responses" for kind, count in short.items())
    collection.not_whole[str(record.step)] = counts
    record.untrain(NOT_WHOLE)
    for kind, dumped in there.items():
        dumped.drop(NOT_WHOLE)
        del collection.dumped[kind][record.step]
