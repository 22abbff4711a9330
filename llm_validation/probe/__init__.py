"""``qae probe``: one step of each rule from one checkpoint, and its entropy change beside the predictions."""
