"""Name the rules that the paper's own comparisons are about; the league has all that are registered."""

COMPARED = (
    "grpo",
    "dr_grpo",
    "rloo",
    "qae",
    "qae_linear",
    "psr",
    "nsr",
    "pos_mask",
    "neg_mask",
    "dapo",
    "constant",
    "gspo",
    "w_reinforce",
    "a_grae",
    "clip_cov",
    "kl_cov",
    "high_entropy",
)
