"""Dumps of training steps, read one step at a time: what they give, and where that is not what was logged."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from llm_validation.cluster.collect.collection import Collection, DumpedStep
from llm_validation.cluster.collect.dumps import batches, findings, measures
from llm_validation.cluster.collect.dumps.batches import Batch, Parse
from llm_validation.cluster.collect.logs.lines import Account
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
    _read_kind(collection, "rollouts", batches.own_rollout if own else batches.rollout, wanted)
    _read_kind(collection, "probe", batches.probe, wanted)


def _read_kind(collection: Collection, kind: str, parse: Parse, wanted: range) -> None:
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
            if step in trained:
                dumped[step] = _dumped_step(kind, batch, trained[step], collection.files.settings)
            else:
                batch.drop(NO_LINE if step in wanted else NOT_ASKED_FOR)


def _by_step(dumps: Sequence[DumpFile]) -> list[list[DumpFile]]:
    """Return the files of one step together, so that no more than one step's responses are held."""
    groups: dict[int | None, list[DumpFile]] = {}
    for dump in dumps:
        groups.setdefault(dump.step, []).append(dump)
    return list(groups.values())


def _dumped_step(kind: str, batch: Batch, record: StepRecord, settings: RunSettings) -> DumpedStep:
    """Return what a step's dump gives, and where that is not what was logged; its responses are then let go."""
    responses = batch.responses()
    if kind == "rollouts":
        given = measures.of_rollouts(responses, settings)
        differing = findings.of_rollout_dump(
            batch.step, responses, logged=record.metrics, measures=given, settings=settings
        )
    else:
        given = measures.of_probe(responses, settings)
        differing = findings.of_probe_dump(
            batch.step, responses, logged=record.metrics, measures=given, settings=settings
        )
    return DumpedStep(len(responses), given, differing, _lines(batch))


def _lines(batch: Batch) -> list[tuple[Account, array[int]]]:
    """Return the numbers of the batch's lines by file, eight bytes a line."""
    by_file: dict[int, tuple[Account, array[int]]] = {}
    for line in batch.kept.values():
        by_file.setdefault(id(line.account), (line.account, array("L")))[1].append(line.number)
    return list(by_file.values())
