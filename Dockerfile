# The image of a cluster's nodes: verl 0.9.1 with vLLM on CUDA 13.0, and this package. Every version is in
# constraints-image.txt (by PIP_CONSTRAINT), which holds what verl's own extra `vllm` pins.
#
#   docker build -t qae-cluster .
#   docker build -t qae-cluster --build-arg GPU_ARCHITECTURES=80 .        for A100; 90 is H100 and H200
#
# A node needs the NVIDIA driver for CUDA 13 (580 or newer), and the storage of jobs, data and models mounted at the same path on
# all of them. Run with --gpus all --network host --shm-size 64g, or as the container of `qae cluster launch --slurm`.
FROM nvidia/cuda:13.0.2-cudnn-devel-ubuntu24.04

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# A compiler and Python's headers stay in the image: Triton and vLLM compile kernels when they first run.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential git libibverbs1 libnuma1 ninja-build numactl python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/qae/bin:$PATH \
    PIP_CONSTRAINT=/opt/constraints-image.txt \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

COPY constraints-image.txt /opt/
# hadolint ignore=DL3013
RUN python3 -m venv /opt/qae \
    && pip install setuptools wheel hatchling editables \
    && pip install 'verl[vllm]'

# Built from source, for the architectures named only: it has no wheel for this torch.
ARG GPU_ARCHITECTURES=90
ARG MAX_JOBS=8
# hadolint ignore=DL3013
RUN FLASH_ATTENTION_FORCE_BUILD=TRUE FLASH_ATTN_CUDA_ARCHS=${GPU_ARCHITECTURES} MAX_JOBS=${MAX_JOBS} \
    pip install --no-build-isolation flash-attn

COPY pyproject.toml README.md LICENSE /opt/src/
COPY docs/site_build/index_metadata.py /opt/src/docs/site_build/index_metadata.py
COPY qae_theory /opt/src/qae_theory
COPY simulators /opt/src/simulators
COPY llm_validation /opt/src/llm_validation
COPY paper_figures /opt/src/paper_figures
RUN pip install --no-build-isolation '/opt/src[verl]' \
    && rm -rf /opt/src

# Anyone may run it: clusters map their own users into a container.
RUN useradd --create-home --uid 1001 qae
USER 1001
WORKDIR /home/qae

# The plug-in is found, verl takes the configurations, the advantages are right; vLLM loads without a GPU to run on.
RUN qae cluster check smoke-qae \
    && qae cluster check qwen3-8b-clip-higher-qae \
    && python -c 'import flash_attn, vllm'

CMD ["qae", "cluster", "--help"]
