"""Gather a run's evaluations: from validation dumps, from logged means where no dump is whole, and of our own."""

from __future__ import annotations

from collections.abc import Mapping

from llm_validation.cluster.collect.collection import Collection, NothingFoundError
from llm_validation.cluster.collect.dumps import batches
from llm_validation.cluster.collect.dumps.batches import Batch
from llm_validation.cluster.collect.dumps.correctness import Levels
from llm_validation.cluster.collect.evaluations.dumped import Expected, counts_of, of_dump
from llm_validation.cluster.collect.evaluations.evaluation import UNNAMED, Counts, Evaluation, benchmark_of
from llm_validation.cluster.collect.evaluations.logged import logged_means, of_log
from llm_validation.cluster.collect.evaluations.own import of_own
from llm_validation.cluster.collect.reasons import CUT_VALIDATION, NOT_ASKED_FOR
from llm_validation.cluster.collect.sources import EvaluationFolder


def evaluate(collection: Collection, wanted: range) -> None:
    """Add the evaluations of a run, and where they are not what was logged.

    Args:
        collection: its steps are settled.
        wanted: the steps to keep.

    Raises:
        NothingFoundError: an evaluation of our own has no question that could be scored.
    """
    _add_dumped(collection, wanted)
    _add_logged(collection)
    for own in collection.files.evaluations:
        collection.evaluations.append(_own(collection, own))
    collection.evaluations.sort(key=_order)


def _order(evaluation: Evaluation) -> tuple[bool, int, str]:
    return evaluation.step is None, evaluation.step or 0, evaluation.benchmark


def _add_dumped(collection: Collection, wanted: range) -> None:
    """Add what the validation dumps give; drop the lines of those that were cut off."""
    settings, logged = collection.files.settings, _logged(collection)
    read = _read_validations(collection, wanted)
    unnamed = _only_benchmark(collection)
    counts = _counts(collection, read, unnamed)
    expected = Expected(counts.values(), settings)
    for step, by_benchmark in sorted(counts.items()):
        for benchmark, pairs in by_benchmark.items():
            evaluation, findings = of_dump(step, benchmark, pairs, expected=expected, logged=logged.get(step, {}))
            collection.findings += findings
            if evaluation is not None:
                collection.evaluations.append(evaluation)
                continue
            lacking = expected.lacking(benchmark, pairs)
            collection.not_whole[f"validation {step}, {benchmark}"] = f"{lacking} responses are not there"
            _drop_benchmark(read[step], benchmark, unnamed)


def _counts(collection: Collection, read: Mapping[int, Batch], unnamed: str) -> dict[int, dict[str, Counts]]:
    """Return samples and correct ones of every question, by step and benchmark."""
    responses = {step: batch.responses() for step, batch in read.items()}
    levels = Levels()
    for of_step in responses.values():
        levels.add_all(of_step)
    threshold = levels.threshold(collection.files.settings)
    if threshold is None:
        collection.notes.append(
            "which responses of the validations are right is not known where no `acc` says it: more than two levels of "
            "reward, or levels that are not right and wrong"
        )
    counts = {}
    for step, of_step in responses.items():
        counts[step] = counts_of(of_step, threshold=threshold, unnamed=unnamed)
    return counts


def _logged(collection: Collection) -> dict[int, dict[str, float | None]]:
    return {record.step: record.metrics for record in collection.merged.steps}


def _read_validations(collection: Collection, wanted: range) -> dict[int, Batch]:
    """Return the responses of each validation, and drop those of steps that nobody asked for."""
    read: dict[int, Batch] = {}
    dumps = collection.files.dumps["validation"]
    for order, (file, step) in enumerate(dumps):
        collection.say(file, order, len(dumps))
        batches.read_dump(file.path, collection.open_account(file), batches.validation, read, step=step)
    for step in [step for step in read if step not in wanted]:
        read.pop(step).drop(NOT_ASKED_FOR)
    return read


def _only_benchmark(collection: Collection) -> str:
    """Return the benchmark of a dump that names none: the one that the log has, if it has one only."""
    logged: set[str] = set()
    for record in collection.merged.steps:
        logged.update(logged_means(record.metrics))
    return logged.pop() if len(logged) == 1 else UNNAMED


def _drop_benchmark(batch: Batch, benchmark: str, unnamed: str) -> None:
    for line in batch.kept.values():
        if benchmark_of(line.record["benchmark"] or unnamed) == benchmark:
            line.account.drop(line.number, CUT_VALIDATION)


def _add_logged(collection: Collection) -> None:
    """Add what the logged means give where no dump does."""
    there = {(evaluation.step, evaluation.benchmark) for evaluation in collection.evaluations}
    for step, metrics in _logged(collection).items():
        for evaluation in of_log(step, metrics):
            if (step, evaluation.benchmark) not in there:
                collection.evaluations.append(evaluation)


def _own(collection: Collection, own: EvaluationFolder) -> Evaluation:
    """Return an evaluation by ``qae evaluate``, which is of the last step that was trained."""
    step = max((record.step for record in collection.merged.steps if record.trained), default=None)
    account = collection.open_account(own.file)
    evaluation, findings = of_own(own.folder, own.file.path, account, step=step)
    if evaluation is None:
        raise NothingFoundError(f"{own.file.label} has no question that could be scored")
    collection.findings += findings
    return evaluation
