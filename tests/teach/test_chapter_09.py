"""Chapter 9's self-checks: the right answer passes, each typical mistake gets its hint."""

import pytest
import torch

from deqir_lite.teach import Hint, self_check


def shell_of(x):
    return x.square().sum(dim=(1, 2, 3), keepdim=True) / x[0].numel()


def pull(x, w):
    return 4 * w * (shell_of(x) - 1) * x / x.numel()


def by_autograd(x, w):
    x = x.requires_grad_()
    objective = w * (x.flatten(1).square().mean(dim=1) - 1).square().mean()
    return torch.autograd.grad(objective, x)[0]


@pytest.mark.parametrize("answer", [pull, by_autograd])
def test_shell_pull_right(answer, capsys):
    self_check("ex-shell-pull", answer)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, w: -pull(x, w), "sign"),
        (lambda x, w: len(x) * pull(x, w), "factor 1 / B"),
        (lambda x, w: x[0].numel() * pull(x, w), "n is missing"),
        (lambda x, w: x.numel() * pull(x, w), "Both n and B"),
        (lambda x, w: pull(x, w) / 2, "each of the two squares"),
        (lambda x, w: pull(x, w) / 4, "both factors 2"),
        (lambda x, w: pull(x, 1), "Where is the weight"),
        (
            lambda x, w: 2 * w * (shell_of(x) - 1) / len(x) * torch.ones_like(x),
            "inner derivative",
        ),
        (lambda x, w: 4 * w * (shell_of(x).sqrt() - 1) * x / x.numel(), "squared norm"),
        (lambda x, w: 4 * w * (x.square().mean() - 1) * x / x.numel(), "its own norm"),
        (lambda x, w: x, "chain rule"),
        (lambda x, w: pull(x, w).sum(), "expected"),
        (None, "placeholder"),
    ],
)
def test_shell_pull_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-shell-pull", answer)


def draws_of(chain, seeds):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    x_T = chain.x_T
    return [torch.randn(x_T.shape, generator=g, dtype=x_T.dtype) for g in generators]


def losses_of(chain, loss, draws):
    return [float(loss(chain.with_x_T(draw).sequential()[-1])) for draw in draws]


def chosen(chain, loss, draws, choose=min):
    values = losses_of(chain, loss, draws)
    return draws[values.index(choose(values))]


def best(chain, loss, n):
    return chosen(chain, loss, draws_of(chain, range(n)))


def best_photo(chain, loss, n):
    return chain.with_x_T(best(chain, loss, n)).sequential()[-1]


def best_of_noise(chain, loss, n):
    return min(draws_of(chain, range(n)), key=lambda draw: float(loss(draw)))


def one_generator(chain, loss, n):
    generator = torch.Generator().manual_seed(100)
    x_T = chain.x_T
    draws = [torch.randn(x_T.shape, generator=generator, dtype=x_T.dtype) for _ in range(n)]
    return chosen(chain, loss, draws)


def middle(chain, loss, n):
    draws = draws_of(chain, range(n))
    values = losses_of(chain, loss, draws)
    noise = [float(loss(draw)) for draw in draws]
    odd = [values.index(min(values)), values.index(max(values)), noise.index(min(noise)), n - 1]
    return next(draw for k, draw in enumerate(draws) if k not in odd)


def test_best_of_n_right(capsys):
    self_check("ex-best-of-n", best)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, loss, n: loss(best_photo(c, loss, n)), "itself, not its loss"),
        (lambda c, loss, n: 3, "itself, not its loss"),
        (best_photo, "photo x_0 of the best draw"),
        (lambda c, loss, n: c.x_T, "chain's own x_T"),
        (one_generator, "none of the draws"),
        (lambda c, loss, n: chosen(c, loss, draws_of(c, range(n)), max), "largest loss"),
        (lambda c, loss, n: draws_of(c, [n])[0], "also tried n"),
        (lambda c, loss, n: draws_of(c, [n - 1])[0], "last draw"),
        (best_of_noise, "loss of the noise"),
        (middle, "Another draw"),
        (lambda c, loss, n: c.x_T[0], "expected"),
        (None, "placeholder"),
    ],
)
def test_best_of_n_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-best-of-n", answer)


def split(mask, seed, share=0.25):
    draw = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed))
    watch = mask * (draw < share)
    return mask - watch, watch


def in_place(mask, seed):
    learn, watch = split(mask, seed)
    mask.copy_(learn)
    return mask, watch


def unseeded(mask, seed):
    watch = mask * (torch.rand(mask.shape) < 0.25)
    return mask - watch, watch


def top_rows(mask, seed):
    watch = mask.clone()
    watch[9 + seed % 2 :] = 0
    return mask - watch, watch


def test_hold_out_right(capsys):
    self_check("ex-hold-out", split)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda m, s: split(m, s)[1], "Return two masks"),
        (lambda m, s: (m, split(m, s)[1]), "in both masks"),
        (lambda m, s: split(torch.ones_like(m), s), "nobody has measured"),
        (lambda m, s: (split(m, s)[0] * split(m, 9, 0.5)[0], split(m, s)[1]), "in neither"),
        (lambda m, s: split(m, s)[::-1], "changed places"),
        (lambda m, s: split(m, s, 0.05), "About a quarter"),
        (lambda m, s: (0.75 * m, 0.25 * m), "nothing in between"),
        (in_place, "changes the mask"),
        (unseeded, "same seed"),
        (lambda m, s: split(m, 0), "where does the seed"),
        (top_rows, "lie together"),
        (lambda m, s: (m[0], m[1]), "expected"),
        (None, "placeholder"),
    ],
)
def test_hold_out_wrong(answer, hint):
    with pytest.raises(Hint, match=hint):
        self_check("ex-hold-out", answer)
