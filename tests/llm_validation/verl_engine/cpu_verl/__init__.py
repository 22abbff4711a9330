"""verl's own V1 trainer on a CPU, for tests: where verl asks for a GPU, and what takes its place here.

verl 0.9.1, FSDP2, one node. Each was found by a run without what is in its place:

* ``utils.distributed.initialize_global_process_group_ray``: the platforms are cuda, npu and rocm, so "Distributed
  package doesn't have NCCL built in". ``platform.py`` registers a platform ``cpu``, which VERL_PLATFORM names. The
  same function then asks for ``cpu:gloo,cpu:gloo``, "Duplicate device type cpu": ``platform.py`` asks for plain gloo.
* ``single_controller.ray.base.ResourcePoolManager._check_resource_available``: counts Ray's GPUs and NPUs, "Total
  available GPUs 0 is less than total desired GPUs 2". Ray is told of GPUs that are not there (``num_gpus``).
* ``workers.engine.base.EngineRegistry.get_engine_cls``: "No engine registered for device='cpu'".
  VERL_ENGINE_DEVICE=cuda takes FSDP's engine all the same.
* ``utils.fsdp_utils.fsdp2_load_full_state_dict``: moves the model to ``get_device_id()``, an index and so a GPU,
  "Cannot access accelerator device when none is available". The platform's current device is ``torch.device("cpu")``.
* ``utils.memory_utils.aggressive_empty_cache`` at the end of ``init_model`` ("module 'torch.cpu' has no attribute
  'memory_reserved'"), ``TrainingWorker._postprocess_output`` (``max_memory_allocated``) and
  ``BaseCheckpointManager.load_rng_state`` (``set_rng_state``): ``platform.py`` has a stand-in for the module.
* ``workers.rollout.base.get_rollout_class``, ``RolloutReplicaRegistry``: vllm, sglang and trtllm, "vllm version None
  not supported". ``rollout.py`` samples with Transformers; the weights come by verl's ``update_weights``, through Ray.

No way round was found for ``strategy=fsdp``: FSDP1's ``sync_module_states`` "requires them to be on GPU".

Nothing else of verl is changed: configuration, task runner, TransferQueue, agent loop, reward loop, FSDP2 workers,
losses, optimiser, checkpoints and logs are its own. ``sampler.py`` only fixes an order, so that runs can be compared
bit by bit. What a CPU does not show: vLLM and its way of taking weights, packed sequences with flash attention, NCCL,
bfloat16, memory, several nodes.
"""
