"""Everything that the sources of a run say, read and held against itself: steps, dumps, evaluations, findings.

A step is complete when its line in the log is whole and so are the dumps of responses that there are of it; a
validation when it has all its responses. What is not complete is dropped in the accounts of its files.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect import dumps, evaluations, recompute
from llm_validation.cluster.collect.evaluations import Evaluation
from llm_validation.cluster.collect.log_lines import Account, ranges, read_records
from llm_validation.cluster.collect.log_sources import OWN_RUN, Place, Places
from llm_validation.cluster.collect.logs import Entry
from llm_validation.cluster.collect.merge import EVENT_UNIT, VALIDATION, Merged, StepRecord, merge
from llm_validation.cluster.collect.recompute import Finding
from llm_validation.cluster.collect.run_settings import RunSettings
from llm_validation.verl_engine.update_probe import metrics_of

NOT_ASKED_FOR = "outside --steps"
NO_LINE = "its step has no line in the log"
NOT_WHOLE = "its step's dump is not whole"
HALF_LOGGED = "its step is logged in part, at the end of the file"
KNOWN_BY = ("actor/entropy", "critic/score/mean")
CUT_VALIDATION = "its validation is not whole"
Told = Callable[[str, int, int], None]  # which file, how many of how many


class NothingFoundError(RuntimeError):
    """The sources hold no complete step and no evaluation; the message is one line."""


@dataclass
class Dumped:
    """What is left of one step's dump: how many responses, what they say, and which lines they stood on."""

    responses: int
    measures: dict[str, float]
    findings: list[Finding]
    lines: list[tuple[Account, array[int]]]

    def drop(self, reason: str) -> None:
        """None of it is in the result."""
        for account, numbers in self.lines:
            for number in numbers:
                account.drop(number, reason)


@dataclass
class Collection:
    """Everything that was read of a run, on its way into a folder. ``run`` is the same for all that is of one run."""

    places: Places
    accounts: list[Account] = field(default_factory=list)
    merged: Merged = field(default_factory=lambda: Merged([], [], 0))
    dumped: dict[str, dict[int, Dumped]] = field(default_factory=lambda: {"rollouts": {}, "probe": {}})
    evaluations: list[Evaluation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    not_whole: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    run: str = ""


def gather(
    places: Places, *, wanted: range | None = None, responses: int | None = None, told: Told | None = None
) -> Collection:
    """Read all files of a run.

    Args:
        places: which files.
        wanted: the steps to keep; all where None.
        responses: how many a whole step has, where the configuration does not say so or says otherwise.
        told: called before each file.

    Raises:
        ValueError: a file that cannot be what its name says.
        NothingFoundError: there is no complete step and no evaluation.
        OSError: a file cannot be read.
    """
    found = Collection(places)
    steps = range(2**62) if wanted is None else wanted
    _read_logs(found, told)
    found.run = _run(found)
    _keep(found, steps)
    _read_dumps(found, told, steps)
    _settle_steps(found, responses)
    _evaluate(found, told, steps)
    found.findings.sort(key=lambda finding: (finding.step, finding.metric))
    if not found.merged.steps and not found.evaluations:
        names = ", ".join(account.name for account in found.accounts)
        raise NothingFoundError(f"no complete step and no evaluation in {names or 'the sources: no file to read'}")
    return found


def _read_logs(found: Collection, told: Told | None) -> None:
    entries: list[Entry] = []
    total = len(found.places.logs)
    for order, (place, reader, attempt) in enumerate(found.places.logs):
        _tell(told, place, order, total)
        entries += reader(place.path, _account(found, place), attempt)
    found.merged = merge(entries, found.places.starts)
    _drop_half_logged(found.merged)


def _drop_half_logged(merged: Merged) -> None:
    """The last step of an event file that stops between its metrics: it lacks some that the step before it has."""
    of_file: dict[int, list[StepRecord]] = {}
    for record in merged.steps:
        if record.trained and record.entries[-1].account.unit == EVENT_UNIT:
            of_file.setdefault(id(record.entries[-1].account), []).append(record)
    for records in of_file.values():
        if len(records) > 1 and _training_names(records[-2]) - _training_names(records[-1]):
            records[-1].drop(HALF_LOGGED)
    merged.steps = [record for record in merged.steps if record.metrics]


def _training_names(record: StepRecord) -> set[str]:
    return {name for name in record.metrics if not name.startswith(VALIDATION)}


def _run(found: Collection) -> str:
    """Known by what its first step logged, so that a job's folder and an export of the same run are one run.

    Five digits are what float32, in which TensorBoard keeps them, and a log's text have in common.
    """
    trained = [record for record in found.merged.steps if record.trained]
    known = [name for name in KNOWN_BY if trained and trained[0].metrics.get(name) is not None]
    if known:
        content: Any = [trained[0].step, *(f"{name} {trained[0].metrics[name]:.5g}" for name in known)]
    else:
        first = found.merged.steps[:1]
        content = [found.places.facts.get("id"), *((one.step, one.metrics) for one in first)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _keep(found: Collection, wanted: range) -> None:
    """Only the steps asked for; files that are of another step by their name are not read at all."""
    for record in found.merged.steps:
        if record.step not in wanted:
            record.drop(NOT_ASKED_FOR)
    found.merged.steps = [record for record in found.merged.steps if record.step in wanted]
    found.merged.first = max(wanted.start, 1)
    for kind, files in found.places.dumps.items():
        found.places.dumps[kind] = [(place, step) for place, step in files if step is None or step in wanted]


def _read_dumps(found: Collection, told: Told | None, wanted: range) -> None:
    trained = {record.step: record for record in found.merged.steps if record.trained}
    own = OWN_RUN in found.places.kinds
    parsers = {"rollouts": dumps.own_rollout if own else dumps.rollout, "probe": dumps.probe}
    for kind, parse in parsers.items():
        files = found.places.dumps[kind]
        for order, group in enumerate(_by_step(files)):
            batches: dict[int, dumps.Batch] = {}
            for place, step in group:
                _tell(told, place, order, len(files))
                dumps.read_dump(place.path, _account(found, place), parse, batches, step=step)
            for step in {step for _, step in group if step in trained} - batches.keys():
                found.dumped[kind][step] = Dumped(0, {}, [], [])  # cut off within its first line
            for step, batch in batches.items():
                if step in trained:
                    found.dumped[kind][step] = _dumped(kind, batch, trained[step], found.places.settings)
                else:
                    batch.drop(NO_LINE if step in wanted else NOT_ASKED_FOR)


def _by_step(files: Sequence[tuple[Place, int | None]]) -> list[list[tuple[Place, int | None]]]:
    """Files of one step together, so that no more than one step's responses are held."""
    groups: dict[int | None, list[tuple[Place, int | None]]] = {}
    for place, step in files:
        groups.setdefault(step, []).append((place, step))
    return list(groups.values())


def _dumped(kind: str, batch: dumps.Batch, record: StepRecord, settings: RunSettings) -> Dumped:
    responses = batch.responses()
    step, logged = batch.step, record.metrics
    lines: dict[int, tuple[Account, array[int]]] = {}
    for one in batch.kept.values():
        lines.setdefault(id(one.account), (one.account, array("L")))[1].append(one.number)
    if kind == "rollouts":
        measures = recompute.of_rollouts(responses, settings)
        findings = recompute.compared(step, logged, measures)
        findings += recompute.wrong_advantages(step, responses, settings, "the rollouts")
    else:
        measures = recompute.of_probe(responses, settings)
        findings = recompute.compared(step, logged, measures)
        findings += recompute.wrong_advantages(step, responses, settings, "the probe's dump")
        if settings.aggregation in (None, "token-mean"):
            findings += recompute.compared_entropy(step, logged, measures)
        findings += _against_the_trainers_formula(step, responses, measures, settings)
    return Dumped(len(responses), measures, findings, list(lines.values()))


def _against_the_trainers_formula(
    step: int, responses: Sequence[Mapping[str, Any]], measures: Mapping[str, float], settings: RunSettings
) -> list[Finding]:
    threshold = recompute.correct_above(responses, settings)
    theirs = metrics_of(responses, quantile_k=settings.k or recompute.DEFAULT_K, correct_above=threshold)
    return recompute.compared(step, theirs, measures, "the trainer's formula gives")


def _settle_steps(found: Collection, responses: int | None) -> None:
    """Drop the steps whose dumps are not whole, and what was dumped of steps that are not there."""
    expected = responses or found.places.settings.responses
    if expected is None:
        counts = Counter(one.responses for kind in found.dumped.values() for one in kind.values())
        expected = max(counts, default=None)
        if expected is not None:
            found.notes.append(f"a whole step is taken to have {expected} responses, as the fullest dump has")
    for record in [record for record in found.merged.steps if record.trained]:
        there = {kind: steps[record.step] for kind, steps in found.dumped.items() if record.step in steps}
        short = {kind: one.responses for kind, one in there.items() if one.responses < (expected or 1)}
        if short:
            said = ", ".join(f"{kind} {count} of {expected or 'its'} responses" for kind, count in short.items())
            found.not_whole[str(record.step)] = said
            record.untrain(NOT_WHOLE)
            for kind, one in there.items():
                one.drop(NOT_WHOLE)
                del found.dumped[kind][record.step]
    found.merged.steps = [record for record in found.merged.steps if record.metrics]
    found.findings += [finding for kind in found.dumped.values() for one in kind.values() for finding in one.findings]
    rolled = found.dumped["rollouts"]
    without = [record.step for record in found.merged.steps if record.trained and record.step not in rolled]
    if rolled and without:
        found.notes.append(f"no rollouts were dumped of the steps {ranges(without)}: nothing was recomputed from them")


def _evaluate(found: Collection, told: Told | None, wanted: range) -> None:
    """Evaluations from validation dumps, from logged means where there is no whole dump, and of ``qae evaluate``."""
    batches: dict[int, dumps.Batch] = {}
    files = found.places.dumps["validation"]
    for order, (place, step) in enumerate(files):
        _tell(told, place, order, len(files))
        dumps.read_dump(place.path, _account(found, place), dumps.validation, batches, step=step)
    for step in [step for step in batches if step not in wanted]:
        batches.pop(step).drop(NOT_ASKED_FOR)
    only = _only_benchmark(found)
    counts = {
        step: evaluations.counts_of(batch.responses(), found.places.settings, unnamed=only)
        for step, batch in batches.items()
    }
    expected = evaluations.Expected(counts.values(), found.places.settings)
    records = {record.step: record for record in found.merged.steps}
    for step, by_benchmark in sorted(counts.items()):
        logged = records[step].metrics if step in records else {}
        for benchmark, pairs in by_benchmark.items():
            one, wrong = evaluations.of_dump(step, benchmark, pairs, expected, logged)
            found.findings += wrong
            if one is None:
                found.not_whole[f"validation {step}, {benchmark}"] = (
                    f"{expected.lacking(benchmark, pairs)} responses are not there"
                )
                _drop_benchmark(batches[step], benchmark, only)
            else:
                found.evaluations.append(one)
    there = {(one.step, one.benchmark) for one in found.evaluations}
    for step, record in records.items():
        found.evaluations += [
            one for one in evaluations.of_log(step, record.metrics) if (step, one.benchmark) not in there
        ]
    for folder, place in found.places.evaluations:
        found.evaluations.append(_own_evaluation(found, folder, place))
    found.evaluations.sort(key=lambda one: (one.step is None, one.step or 0, one.benchmark))


def _only_benchmark(found: Collection) -> str:
    """What a dump that names no benchmark is of: the one that the log has, if it has one only."""
    logged = {name for record in found.merged.steps for name in evaluations.logged_means(record.metrics)}
    return logged.pop() if len(logged) == 1 else evaluations.UNNAMED


def _drop_benchmark(batch: dumps.Batch, benchmark: str, unnamed: str) -> None:
    for one in batch.kept.values():
        if evaluations.benchmark_of(one.record["benchmark"] or unnamed) == benchmark:
            one.account.drop(one.number, CUT_VALIDATION)


def _own_evaluation(found: Collection, folder: Path, place: Place) -> Evaluation:
    """An evaluation by ``qae evaluate``, counted again from its questions."""
    try:
        said = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        task, estimates = str(said["task"]), dict(said["pass_at_k"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place.label}: its summary.json cannot be read: {error}") from None
    counts: evaluations.Counts = {}
    account = _account(found, place)
    for number, line in read_records(place.path, account):
        scores = line.get("scores") if isinstance(line, dict) else None
        if not isinstance(scores, list) or not scores or None in scores:
            account.drop(number, "its question could not be scored" if scores else dumps.NOT_A_RESPONSE)
            continue
        asked = json.dumps([line.get("prompt"), line.get("answer"), line.get("question")])
        key = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        counts[key] = len(scores), sum(score == 1 for score in scores)
    if not counts:
        raise NothingFoundError(f"{place.label} has no question that could be scored")
    step = max((record.step for record in found.merged.steps if record.trained), default=None)
    ks = sorted({*evaluations.KS, *(int(k) for k in estimates)})
    one = evaluations.by_question(step, evaluations.benchmark_of(task), counts, evaluations.OWN, ks=ks)
    for k, estimate in estimates.items():
        mine = one.pass_at_k[k]["estimate"] if k in one.pass_at_k else None
        if mine is not None and abs(mine - estimate["estimate"]) > recompute.RELATIVE * mine:
            found.findings.append(
                Finding(step or 0, f"pass@{k} on {task}", "the questions", float(estimate["estimate"]), mine)
            )
    return one


def _account(found: Collection, place: Place) -> Account:
    found.accounts.append(Account(place.label))
    return found.accounts[-1]


def _tell(told: Told | None, place: Place, done: int, total: int) -> None:
    if told is not None:
        told(place.label, done, total)
