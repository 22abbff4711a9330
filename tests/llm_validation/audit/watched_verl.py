"""verl's trainer with the audit's hook, run in a process of its own (``python -m``); no test is here."""

from __future__ import annotations

from typing import Any


def main() -> None:
    """Train as ``llm_validation.verl_engine.trainer`` does, in a task runner that knows the watched trainer."""
    import ray

    from llm_validation.verl_engine import trainer

    @ray.remote
    class WatchedTaskRunner(trainer.TaskRunnerV1.__ray_actor_class__):  # type: ignore[misc]
        """Registers the watched trainer in its own process."""

        def run(self, config: Any) -> None:
            from llm_validation.audit.live.verl import watched
            from llm_validation.verl_engine import trainer as here

            here.register_trainer(NAME)(watched(here.ProbeTrainer, every=1))
            super().run(config)

    trainer.ProbeTaskRunner = WatchedTaskRunner
    trainer.main()


NAME = "watched"

if __name__ == "__main__":
    main()
