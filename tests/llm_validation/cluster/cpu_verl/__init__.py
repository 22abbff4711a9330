"""verl's own V1 trainer on a CPU, for tests: what of verl asks for a GPU, and what takes its place here.

verl 0.9.1, FSDP2, one node, found by running ``main_ppo`` without each of these in turn:

==========================================================  ===========================================================
where verl asks for a GPU                                   what takes its place
==========================================================  ===========================================================
``plugin.platform``: platforms are cuda, npu, rocm          ``platform.py`` registers ``cpu``, VERL_PLATFORM names it
``ResourcePoolManager._check_resource_available`` counts    Ray is told of GPUs that are not there (``num_gpus``); no
``GPU`` and ``NPU`` only; placement groups ask for them     process uses one
``initialize_global_process_group_ray``: backend            ``platform.py`` asks for plain gloo
``cpu:gloo,cpu:gloo``, "Duplicate device type cpu"
``EngineRegistry``: FSDP's engine is for cuda and npu       VERL_ENGINE_DEVICE=cuda names it
``get_torch_device()`` is ``torch.cpu``: no                 ``platform.py`` has a stand-in for the module
``memory_reserved``, ``max_memory_allocated``,
``set_rng_state`` (``init_model``, ``train_batch``,
``load_checkpoint``)
``get_device_id()`` is an index, and so of a GPU            the platform's current device is ``torch.device("cpu")``
``RolloutReplicaRegistry``: vllm, sglang, trtllm            ``rollout.py``, with Transformers; the weights come by
                                                            verl's ``update_weights``, handed on through Ray
==========================================================  ===========================================================

Nothing else of verl is changed: configuration, task runner, TransferQueue, agent loop, reward loop, FSDP2 workers,
losses, optimiser, checkpoints and logs are its own. ``sampler.py`` only fixes an order, so that runs can be compared
bit by bit. What a CPU cannot show: vLLM and its weight transfer, flash attention with packed sequences, NCCL, bfloat16
speed, memory.

``platform`` is loaded in every process by VERL_USE_EXTERNAL_MODULES.
"""
