"""The host's attention call convention, seen as q, k, v of shape [B, H, L, D]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from ..core.attention import Attention
from ..core.low_rank import groups, joined
from ..core.rows import gather
from ..maths.low_rank import attend
from .fold import NOTHING, Fold

# What the host's attention functions take by position.
POSITIONAL = ("q", "k", "v", "heads", "mask", "attn_precision", "skip_reshape", "skip_output_reshape")

HeadsFirst = tuple[Tensor, Tensor, Tensor]
Given = tuple[Tensor | None, ...]  # q, k, v and bias as an `Attention` has them
NOTHING_GIVEN = (None,) * 4  # for a part of the rows: all of it has to be put into the host's layout


@dataclass(frozen=True)
class HostCall:
    """One call `func(q, k, v, heads, mask, ...)` as the host's models make it.

    Heads and mask come by position or by keyword; tensors are [B, L, H*D], or [B, H, L, D] with `skip_reshape`. `plain` is the
    function itself where `func` goes through other packs' overrides first.
    """

    func: Callable[..., Tensor]
    plain: Callable[..., Tensor]
    q: Tensor
    k: Tensor
    v: Tensor
    heads: int
    mask: Tensor | None
    options: dict
    fold: Fold = NOTHING

    @classmethod
    def parse(cls, func: Callable[..., Tensor], plain: Callable[..., Tensor], args: tuple, kwargs: dict) -> HostCall:
        """Sorts the positional and keyword arguments of an attention override."""
        options = {**dict(zip(POSITIONAL, args, strict=False)), **kwargs}
        named = {name: options.pop(name, None) for name in POSITIONAL[:5]}
        return cls(func, plain, **named, options=options)

    def folded(self, fold: Fold) -> HostCall:
        """The same call, seen without its folding of space or time into the batch."""
        return replace(self, fold=fold)

    def fits(self, rows: int) -> bool:
        """Does the batch hold `rows` videos, folded as said?"""
        return self.fold.fits(self.q.shape[0], self._tokens(self.q), rows)

    @property
    def lengths(self) -> tuple[int, int]:
        """Tokens of the queries and of the keys, unfolded."""
        return tuple(self.fold.tokens(self._tokens(x)) for x in (self.q, self.k))

    def heads_first(self) -> HeadsFirst:
        """q, k, v as [B, H, L, D] (views, where nothing is folded)."""
        return tuple(self._to_heads(x) for x in (self.q, self.k, self.v))

    def given(self) -> Given:
        """What the model gives to an `Attention`."""
        return *self.heads_first(), None if self.mask is None else self.fold.open_mask(with_four_axes(self.mask))

    @property
    def scale(self) -> float:
        """Factor of the scores: given by the model, else D ** -0.5."""
        scale = self.options.get("scale")
        return self._width**-0.5 if scale is None else scale

    def run(self, call: Attention, given: Given) -> Tensor:
        """The kernel on an edited call: [B, H, L, D]. What is still as `given` goes in as the model made it."""
        if call.low_rank:
            return self._run_biased(call)
        *views, bias = given
        q, k, v = (
            own if edited is view else self._from_heads(edited)
            for own, edited, view in zip((self.q, self.k, self.v), (call.q, call.k, call.v), views, strict=True)
        )
        mask = self.mask if call.bias is bias is not None else self._mask_of(call)
        return self.fold.open(self._in_host(self.func, q, k, v, mask, self.options))

    def _run_biased(self, call: Attention) -> Tensor:
        """Rows with the same low-rank biases share a kernel call; rows without any are computed as if nobody had one."""
        return gather({places: self._run_part(part) for places, part in groups(call)})

    def _run_part(self, part: Attention) -> Tensor:
        if not part.low_rank:
            return self.run(part, NOTHING_GIVEN)
        q, k, v, a, b = (self.fold.close(x) for x in (part.q, part.k, part.v, *joined(part)))

        def kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            return self._biased_kernel(q, k, v, mask, part.scale, wider=q.shape[3] > part.q.shape[3])

        return self.fold.open(attend(q, k, v, self._mask_of(part), a, b, part.scale, kernel))

    def _biased_kernel(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, wider: bool) -> Tensor:
        """Attention with a bias in columns of `wider` heads, or in the mask: never in int8, which would lose it.

        Other packs' kernels may refuse masks or drop them, so calls with ours are left out of their overrides; and they may know
        no scale but that of the heads' width, so wider queries are brought to it.
        """
        func, options = (self.func if wider else self.plain), {**self.options, "low_precision_attention": False}
        if wider:
            options["scale"] = scale
        if wider and func is not self.plain:
            options["scale"] = q.shape[3] ** -0.5
            q = (q.float() * (scale / options["scale"])).to(q.dtype)
        return self._in_host(func, *(self._to_layout(x) for x in (q, k, v)), mask, options)

    def _in_host(self, func: Callable, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, options: dict) -> Tensor:
        """A function of the host's kind on tensors in its own layout: [b, H, l, D]."""
        out = func(q, k, v, self.heads, mask=mask, **options)
        return out if options.get("skip_output_reshape") else out.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def to_host(self, out: Tensor) -> Tensor:
        """[B, H, L, D] -> the shape that the model expects back."""
        out = self.fold.close(out)
        return out if self.options.get("skip_output_reshape") else out.transpose(1, 2).flatten(2)

    def _tokens(self, x: Tensor) -> int:
        return x.shape[2 if self._split else 1]

    @property
    def _split(self) -> bool:
        return bool(self.options.get("skip_reshape"))

    @property
    def _width(self) -> int:
        return self.q.shape[-1] if self._split else self.q.shape[-1] // self.heads

    def _to_heads(self, x: Tensor) -> Tensor:
        x = x if self._split else x.unflatten(-1, (-1, self._width)).transpose(1, 2)
        return self.fold.open(x)

    def _mask_of(self, call: Attention) -> Tensor | None:
        return None if call.bias is None else self.fold.close_mask(call.bias, len(call.rows))

    def _from_heads(self, x: Tensor) -> Tensor:
        return self._to_layout(self.fold.close(x))

    def _to_layout(self, x: Tensor) -> Tensor:
        return x if self._split else x.transpose(1, 2).flatten(2)


def with_four_axes(mask: Tensor) -> Tensor:
    """A mask [Lq, Lk], [B, Lq, Lk] or [B, H, Lq, Lk], as the host's functions take it, with all axes."""
    return mask[:, None] if mask.ndim == 3 else mask[(None,) * (4 - mask.ndim)]
