"""Networks of guided-diffusion and DDPM, written down from their papers and checkpoints' names."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

# --- guided-diffusion, from its paper's description and the names in its checkpoints ---


def waves(t, width, shift, dtype):
    """sin and cos of t at width / 2 frequencies from 1 down to 1 / 10000, with a ``shift`` of 1
    inclusive. In float32, as in all of the published codes, or float64 would show that."""
    half = width // 2
    exponents = -math.log(10000) * torch.arange(half, dtype=torch.float32) / (half - shift)
    angles = t[:, None].float() * exponents.exp()
    return angles.sin().to(dtype), angles.cos().to(dtype)


class GuidedBlock(nn.Module):
    def __init__(self, inner, outer, embedding, scaled, resize=None):
        super().__init__()
        self.scaled, self.resize = scaled, resize
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, (1 + scaled) * outer))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, outer),
            nn.SiLU(),
            nn.Dropout(0.0),
            nn.Conv2d(outer, outer, 3, padding=1),
        )
        if inner != outer:
            self.skip_connection = nn.Conv2d(inner, outer, 1)

    def resized(self, x):
        if self.resize == "up":
            return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        return F.avg_pool2d(x, 2) if self.resize == "down" else x

    def forward(self, x, emb):
        h = self.in_layers[2](self.resized(self.in_layers[:2](x)))
        x = self.resized(x)
        told = self.emb_layers(emb)[:, :, None, None]
        if self.scaled:
            scale, shift = told.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + told)
        return h + (self.skip_connection(x) if hasattr(self, "skip_connection") else x)


class GuidedAttention(nn.Module):
    def __init__(self, width, head, new_order):
        super().__init__()
        self.heads, self.new_order = width // head, new_order
        self.norm = nn.GroupNorm(32, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = nn.Conv1d(width, width, 1)

    def forward(self, x, emb):
        batch, width, pixels = x.flatten(2).shape
        told = self.qkv(self.norm(x).flatten(2))
        if self.new_order:
            q, k, v = told.reshape(batch, 3, self.heads, -1, pixels).unbind(1)
        else:
            q, k, v = told.reshape(batch, self.heads, 3, -1, pixels).unbind(2)
        matches = torch.einsum("bhci,bhcj->bhij", q, k) / math.sqrt(width / self.heads)
        seen = torch.einsum("bhij,bhcj->bhci", matches.softmax(dim=-1), v)
        return x + self.proj_out(seen.reshape(batch, width, pixels)).reshape(x.shape)


class Halve(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x, emb):
        return self.op(x)


class Double(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x, emb):
        return self.conv(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


class First(nn.Conv2d):
    def forward(self, x, emb):
        return super().forward(x)


class Guided(nn.Module):
    """``widths`` per level, ``attentive`` levels by number, ``classes`` or None."""

    def __init__(
        self,
        widths=(32, 64),
        attentive=(1,),
        layers=1,
        head=16,
        new_order=False,
        scaled=True,
        resnets=True,
        classes=None,
        channels=(3, 6),
    ):
        super().__init__()
        self.base = widths[0]
        size = 4 * self.base
        self.time_embed = nn.Sequential(
            nn.Linear(self.base, size), nn.SiLU(), nn.Linear(size, size)
        )
        if classes:
            self.label_emb = nn.Embedding(classes, size)

        def block(inner, outer, resize=None):
            return GuidedBlock(inner, outer, size, scaled, resize)

        def attention(width):
            return GuidedAttention(width, head, new_order)

        width, left = widths[0], [widths[0]]
        self.input_blocks = nn.ModuleList(
            [nn.ModuleList([First(channels[0], width, 3, padding=1)])]
        )
        for level, outer in enumerate(widths):
            for _ in range(layers):
                parts = [block(width, outer)] + [attention(outer)] * (level in attentive)
                self.input_blocks.append(nn.ModuleList(parts))
                width = outer
                left.append(width)
            if level < len(widths) - 1:
                half = block(width, width, "down") if resnets else Halve(width)
                self.input_blocks.append(nn.ModuleList([half]))
                left.append(width)
        self.middle_block = nn.ModuleList(
            [block(width, width), attention(width), block(width, width)]
        )
        self.output_blocks = nn.ModuleList()
        for level, outer in reversed(list(enumerate(widths))):
            for k in range(layers + 1):
                parts = [block(width + left.pop(), outer)]
                width = outer
                parts += [attention(width)] * (level in attentive)
                if level and k == layers:
                    parts.append(block(width, width, "up") if resnets else Double(width))
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(
            nn.GroupNorm(32, width), nn.SiLU(), nn.Conv2d(width, channels[1], 3, padding=1)
        )

    def forward(self, x, t, label=None):
        sin, cos = waves(t, self.base, 0, x.dtype)
        emb = self.time_embed(torch.cat([cos, sin], dim=1))
        if label is not None:
            emb = emb + self.label_emb(torch.full_like(t, label))
        kept = []
        for parts in self.input_blocks:
            for part in parts:
                x = part(x, emb)
            kept.append(x)
        for part in self.middle_block:
            x = part(x, emb)
        for parts in self.output_blocks:
            x = torch.cat([x, kept.pop()], dim=1)
            for part in parts:
                x = part(x, emb)
        return self.out(x)


# --- DDPM, from its appendix and the names in its checkpoints ---


class DdpmBlock(nn.Module):
    def __init__(self, inner, outer, embedding):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(32, n, eps=1e-6) for n in (inner, outer))
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.temb_proj = nn.Linear(embedding, outer)
        if inner != outer:
            self.nin_shortcut = nn.Conv2d(inner, outer, 1)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x))) + self.temb_proj(F.silu(emb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class DdpmAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2) for layer in (self.q, self.k, self.v))
        matches = (q.mT @ k / math.sqrt(x.shape[1])).softmax(dim=-1)
        return x + self.proj_out((v @ matches.mT).reshape(x.shape))


class Ddpm(nn.Module):
    def __init__(self, widths=(32, 64, 64), attentive=(1,), layers=2):
        super().__init__()
        self.base, size = widths[0], 4 * widths[0]
        self.temb = nn.Module()
        self.temb.dense = nn.ModuleList([nn.Linear(self.base, size), nn.Linear(size, size)])
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)

        def level(sizes, outer, number, sampler):
            made = nn.Module()
            made.block = nn.ModuleList(DdpmBlock(inner, outer, size) for inner in sizes)
            count = len(sizes) if number in attentive else 0
            made.attn = nn.ModuleList(DdpmAttention(outer) for _ in range(count))
            if sampler:
                setattr(made, sampler, nn.Module())
                stride = 2 if sampler == "downsample" else 1
                getattr(made, sampler).conv = nn.Conv2d(
                    outer, outer, 3, stride=stride, padding=2 - stride
                )
            return made

        width, left, last = widths[0], [widths[0]], len(widths) - 1
        self.down = nn.ModuleList()
        for k, outer in enumerate(widths):
            sizes = [width] + [outer] * (layers - 1)
            self.down.append(level(sizes, outer, k, "downsample" if k < last else None))
            width = outer
            left += [width] * (layers + (k < last))
        self.mid = nn.Module()
        self.mid.block_1, self.mid.block_2 = (DdpmBlock(width, width, size) for _ in range(2))
        self.mid.attn_1 = DdpmAttention(width)
        ups = []
        for k, outer in reversed(list(enumerate(widths))):
            sizes = [inner + left.pop() for inner in [width] + [outer] * layers]
            ups.append(level(sizes, outer, k, "upsample" if k else None))
            width = outer
        self.up = nn.ModuleList(reversed(ups))
        self.norm_out = nn.GroupNorm(32, width, eps=1e-6)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x, t):
        first, second = self.temb.dense
        emb = second(F.silu(first(torch.cat(waves(t, self.base, 1, x.dtype), dim=1))))

        def through(level, k, x):
            x = level.block[k](x, emb)
            return level.attn[k](x) if len(level.attn) else x

        x = self.conv_in(x)
        kept = [x]
        for level in self.down:
            for k in range(len(level.block)):
                x = through(level, k, x)
                kept.append(x)
            if hasattr(level, "downsample"):
                x = level.downsample.conv(F.pad(x, (0, 1, 0, 1)))
                kept.append(x)
        x = self.mid.block_2(self.mid.attn_1(self.mid.block_1(x, emb)), emb)
        for level in reversed(self.up):
            for k in range(len(level.block)):
                x = through(level, k, torch.cat([x, kept.pop()], dim=1))
            if hasattr(level, "upsample"):
                x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                x = level.upsample.conv(x)
        return self.conv_out(F.silu(self.norm_out(x)))


# --- with random numbers ---


def random(kind, seed=0, **shape):
    """A network in which every number is random, so that none can be dropped unseen."""
    torch.manual_seed(seed)
    model = kind(**shape)
    for parameter in model.parameters():
        if parameter.ndim == 1:  # biases, and the factors of normalisations, which begin as 1
            parameter.data = parameter.data.round() + 0.2 * torch.randn_like(parameter)
        else:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return model.eval()


@pytest.fixture(scope="session")
def guided():
    """shape -> a network of guided-diffusion with random numbers, by default small."""
    return lambda **shape: random(Guided, **shape)


@pytest.fixture(scope="session")
def ddpm():
    """shape -> a network of DDPM with random numbers, by default small."""
    return lambda **shape: random(Ddpm, **shape)
