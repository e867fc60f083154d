"""Inputs that the nodes on perturbed attention share, and what their values mean."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.core.intervention import Where
from ..py.host.families import adapter_of, blocks_of

ATTENTIONS = {
    "self or temporal": frozenset({"self", "joint", "temporal"}),
    "spatial": frozenset({"spatial"}),
    "cross": frozenset({"cross"}),
}


def attention_input() -> io.Input:
    """Which attentions of a block are meant."""
    return io.Combo.Input(
        "attention",
        options=list(ATTENTIONS),
        default="self or temporal",
        advanced=True,
        tooltip="self or temporal: what mixes frames: self-attention over the whole video, joint attention with the text, or "
        "the temporal layers of a UNet. spatial: within each frame, UNets only. cross: attention to the text, uniform only.",
    )


def where_of(model, attention: str, blocks: frozenset[int] | None) -> Where:
    """The attentions to act on. Raises TemporalAttentionError where the network has none of that kind or no such block."""
    adapter, found = adapter_of(model), blocks_of(model)
    where = Where(kinds=ATTENTIONS[attention], blocks=blocks)
    where.check(len(found))
    kinds = {site.kind for block in found for site in block.sites}
    if not where.kinds & kinds and not adapter.foreseen:  # what is only foreseen may lack kinds; the run will say so
        raise TemporalAttentionError(
            f"a network with {attention} attention",
            f"{adapter.family}, which has {', '.join(sorted(kinds))} attention",
            "Choose another kind of attention.",
        )
    return where
