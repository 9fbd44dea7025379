"""The batch of a network shared out among ranks: the sample of one process, from a share of its
work each."""

import math

import pytest
import torch

from deqir_lite.engine.sharding import shard_prior


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_sample_what_one_process_samples(run_on_ranks, tmp_path, size):
    assert run_on_ranks("sampled.py", size) == [0] * size
    ranks = [torch.load(tmp_path / f"rank-{rank}.pt") for rank in range(size)]
    for name in ranks[0]:
        for found in ranks:
            difference, alone, _ = found[name]
            assert difference <= (1e-6 if "float32" in name else 1e-12), name
            assert alone == ranks[0][name][1], name
        # the calls of one process, each of them shared out: the first ranks have a full share
        shares = [
            [min(each, max(n - rank * each, 0)) for n in alone if (each := math.ceil(n / size))]
            for rank in range(size)
        ]
        done = [found[name][2] for found in ranks]
        assert done == [[n for n in share if n > 0] for share in shares], name
    assert max(ranks[0]["parallel"][1]) == 12, "all steps of two chains in one batch"
    assert ranks[0]["sequential"][1] == [1] * 6, "fewer images than ranks"


def test_a_prior_is_shared_out_among_ranks_only(nonlinear_prior):
    with pytest.raises(ValueError, match="group: torch.distributed is not initialised; start the"):
        shard_prior(nonlinear_prior)
    with pytest.raises(ValueError, match="prior: got 'photo64' "):
        shard_prior("photo64")
