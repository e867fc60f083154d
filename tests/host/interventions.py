"""Interventions made for tests: the smallest ones that act through each hook."""

from dataclasses import dataclass

import torch

from pack.py.core.intervention import Intervention, Observer


@dataclass(frozen=True, kw_only=True)
class QueryGain(Intervention):
    """q -> gain q."""

    gain: float = 1.5

    def before(self, call):
        return call.edit(q=self.gain * call.q)


@dataclass(frozen=True, kw_only=True)
class IdentityAttention(Intervention):
    """Every token attends to itself alone: the output is v."""

    def after(self, call, out):
        return call.v


@dataclass(frozen=True, kw_only=True)
class FrameBias(Intervention):
    """Adds -0.5 |i - j| to the scores of frame i with frame j (dense: for tests on small sequences only)."""

    def before(self, call):
        grid = call.forward.grid
        frame = torch.arange(grid.frames).to(call.q)
        distance = -0.5 * (frame[:, None] - frame[None]).abs()
        if call.site.kind == "temporal":
            return call.edit(bias=distance.repeat_interleave(grid.spatial, 0).expand(len(call.rows), 1, -1, -1))
        bias = call.q.new_zeros(grid.tokens, grid.tokens)
        bias[grid.video, grid.video] = distance.repeat_interleave(grid.spatial, 0).repeat_interleave(grid.spatial, 1)
        return call.edit(bias=bias.expand(len(call.rows), 1, -1, -1))


@dataclass(frozen=True, kw_only=True)
class LowRankFrameBias(Intervention):
    """The same as FrameBias, as factors that are never multiplied out."""

    def before(self, call):
        grid = call.forward.grid
        frame = torch.arange(grid.frames).to(call.q)
        queries, keys = -0.5 * (frame[:, None] - frame[None]).abs(), torch.eye(grid.frames)
        each = (grid.frames, grid.spatial, grid.frames)
        queries, keys = (x[None, None, :, None].expand(1, 1, *each) for x in (queries, keys))
        return call.biased(grid.among_tokens(queries), grid.among_tokens(keys))


@dataclass(frozen=True, kw_only=True)
class BlockShift(Intervention):
    """x -> x + a ramp over the channels (a constant would vanish in the next normalisation)."""

    def block(self, call):
        return call.edit(x=call.x + torch.linspace(0, 1, call.x.shape[-1]))


@dataclass(frozen=True, kw_only=True)
class TokensSquared(Intervention):
    """Changes nothing, but makes a tensor of tokens squared."""

    def before(self, call):
        call.q.new_empty(call.forward.grid.tokens, call.forward.grid.tokens)
        return call


@dataclass(frozen=True, kw_only=True)
class Watcher(Observer):
    """Keeps (site, forward, q as the model made it, q that the kernel received) of every call."""

    log: list

    def __hash__(self):
        return id(self)

    def seen(self, call, edited):
        self.log.append((call.site, call.forward, call.q.clone(), edited.q.clone(), edited.k.clone()))
        return []
