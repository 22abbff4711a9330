"""Read the dumps of training steps, one step at a time, and find where they do not give what was logged."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from llm_validation.cluster.collect.collection import Collection, DumpedStep
from llm_validation.cluster.collect.dumps import batches, findings, measures
from llm_validation.cluster.collect.dumps.batches import Batch, Parse
from llm_validation.cluster.collect.dumps.correctness import Levels
from llm_validation.cluster.collect.dumps.identity import identified
from llm_validation.cluster.collect.logs.lines import Account, ranges
from llm_validation.cluster.collect.logs.merge import StepRecord
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.cluster.collect.reasons import NO_LINE, NOT_ASKED_FOR
from llm_validation.cluster.collect.sources import OWN_RUN, DumpFile


def read_dumped_steps(collection: Collection, wanted: range) -> None:
    """Read the rollouts and probes of the steps that the log has; drop what is of others.

    Args:
        collection: its steps are merged and no more than those wanted; gets what was dumped of each.
        wanted: the steps to keep.
    """
    own = OWN_RUN in collection.files.kinds
    parsers: dict[str, Parse] = {
        "rollouts": batches.own_rollout if own else batches.rollout,
        "probe": batches.probe,
    }
    # One for the run: a step whose responses are all wrong has no second level to tell right from wrong by.
    threshold = _threshold(collection, parsers)
    for kind, parse in parsers.items():
        _read_kind(collection, kind, parse, wanted=wanted, threshold=threshold)
    _remark(collection)


def _threshold(collection: Collection, parsers: Mapping[str, Parse]) -> float | None:
    """Return the one threshold of the run above which a response is right, None where it is not known.

    Where the configuration states none, the dumps are read once before, up to the third level, for the levels of those
    responses whose scorer states nothing.
    """
    settings, levels = collection.files.settings, Levels()
    if settings.correct_above is None:
        for kind, parse in parsers.items():
            for file, _ in collection.files.dumps[kind]:
                if levels.too_many:
                    break
                for response in batches.responses_in(file.path, parse):
                    levels.add(response)
                    if levels.too_many or response.get("correct") is not None:
                        break  # the other lines of the file state it too
    threshold = levels.threshold(settings)
    if threshold is None:
        why = "more than two levels of reward" if levels.too_many else "levels of reward that are not right and wrong"
        collection.notes.append(
            f"which responses are right is not known: {why}, no `acc` in the dumps and no "
            "algorithm.correct_above in the configuration"
        )
    return threshold


def _read_kind(collection: Collection, kind: str, parse: Parse, *, wanted: range, threshold: float | None) -> None:
    trained = {record.step: record for record in collection.merged.steps if record.trained}
    dumped = collection.dumped[kind]
    dumps = collection.files.dumps[kind]
    for order, of_step in enumerate(_by_step(dumps)):
        read: dict[int, Batch] = {}
        for file, step in of_step:
            collection.say(file, order, len(dumps))
            batches.read_dump(file.path, collection.open_account(file), parse, read, step=step)
        for step in {step for _, step in of_step if step in trained} - read.keys():
            dumped[step] = DumpedStep(0, {}, [], [])  # cut off within its first line
        for step, batch in read.items():
            if step not in trained:
                batch.drop(NO_LINE if step in wanted else NOT_ASKED_FOR)
                continue
            take = _rolled_step if kind == "rollouts" else _probed_step
            dumped[step] = take(batch, trained[step], collection.files.settings, threshold)


def _remark(collection: Collection) -> None:
    """Note what could not be looked at, once for all steps of which the same is to be said."""
    steps: dict[str, list[int]] = {}
    for step, dumped in chain.from_iterable(of_kind.items() for of_kind in collection.dumped.values()):
        if dumped.remark is not None:
            steps.setdefault(dumped.remark, []).append(step)
    for remark, listed in steps.items():
        collection.notes.append(f"rollouts of the steps {ranges(sorted(listed))}: {remark}")


def _by_step(dumps: Sequence[DumpFile]) -> list[list[DumpFile]]:
    """Return the files of one step together, so that no more than one step's responses are held."""
    groups: dict[int | None, list[DumpFile]] = {}
    for dump in dumps:
        groups.setdefault(dump.step, []).append(dump)
    return list(groups.values())


def _rolled_step(batch: Batch, record: StepRecord, settings: RunSettings, threshold: float | None) -> DumpedStep:
    """Return what a step's rollouts give, and where that is not what was logged; the responses are then let go."""
    groups = identified(batch.responses(), settings.group_size)
    if not groups.known:
        settings = replace(settings, estimator=None)  # advantages without groups are not known either
    given = measures.of_rollouts(groups.responses, settings, threshold=threshold)
    if not groups.known:
        given.pop("rollouts/groups")
    rewards = [line.record["reward"] for line in batch.kept.values()]
    if len(rewards) > len(groups.responses):
        given[findings.MEAN_OF_OUTPUTS] = math.fsum(rewards) / len(rewards)
    differing = findings.of_rollout_dump(
        batch.step,
        groups.responses,
        logged=record.metrics,
        measures=given,
        settings=settings,
        threshold=threshold,
    )
    return DumpedStep(len(groups.responses), given, differing, _lines(batch), groups.remark)


def _probed_step(batch: Batch, record: StepRecord, settings: RunSettings, threshold: float | None) -> DumpedStep:
    """Return the same of what the probe dumped."""
    responses = batch.responses()
    given = measures.of_probe(responses, settings, threshold=threshold)
    differing = findings.of_probe_dump(
        batch.step,
        responses,
        logged=record.metrics,
        measures=given,
        settings=settings,
        threshold=threshold,
    )
    return DumpedStep(len(responses), given, differing, _lines(batch))


def _lines(batch: Batch) -> list[tuple[Account, array[int]]]:
    """Return the numbers of the batch's lines by file, eight bytes a line."""
    by_file: dict[int, tuple[Account, array[int]]] = {}
    for line in batch.kept.values():
        by_file.setdefault(id(line.account), (line.account, array("L")))[1].append(line.number)
    return list(by_file.values())
