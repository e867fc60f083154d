"""One network call: hooks mark where the network is, the override hands attention to the pipeline, and all of it goes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from torch import Tensor, nn

from ..core.events import Attention, Block, Forward, Grid, Site
from ..core.pipeline import Pipeline
from ..core.run import Run
from .families import Adapter
from .kernel import HostCall
from .override import AttentionSlot

PASS = None


class ForwardScope:
    """Context manager around one network call.

    Args:
        run: the sampling run that this call belongs to.
        adapter, network: the family's adapter and the network that is about to be called.
        describe: (grid, transformer options) -> Forward; called once the network has its input.
    """

    def __init__(self, run: Run, adapter: Adapter, network: nn.Module, describe: Callable[[Grid, int, dict], Forward]):
        self.run, self.adapter, self.network, self.describe = run, adapter, network, describe
        self.slot = AttentionSlot(self._attention)
        self.hooks: list = []
        self.forward: Forward | None = None
        self.pipeline: Pipeline | None = None
        self.sites: deque[Site] = deque()

    def __enter__(self) -> ForwardScope:
        self.hooks.append(self.network.register_forward_pre_hook(self._network_starts, with_kwargs=True))
        return self

    def __exit__(self, *_) -> None:
        for hook in self.hooks:
            hook.remove()
        self.slot.restore()

    def _network_starts(self, network: nn.Module, args: tuple, kwargs: dict) -> None:
        x = args[0] if args else kwargs["x"]
        grid = self.adapter.grid(network, x, kwargs)
        if grid is None:
            self.run.skip(f"this token layout of {self.adapter.family} is not known")
            return
        self.forward = self.describe(grid, x.shape[0], kwargs["transformer_options"])
        self.pipeline = self.run.open(self.forward)
        if self.pipeline is not None:
            self._mark_sites()

    def _mark_sites(self) -> None:
        for block in self.adapter.blocks(self.network):
            if self.pipeline.wants_block(block.site):
                self.hooks.append(block.module.register_forward_hook(self._edit_block(block.site)))
            for module, sites in block.attentions:
                if any(map(self.pipeline.wants, sites)):
                    self.hooks.append(module.register_forward_pre_hook(self._enter_sites(sites), with_kwargs=True))
                    self.hooks.append(module.register_forward_hook(self._leave_sites, always_call=True))

    def _enter_sites(self, sites: tuple[Site, ...]) -> Callable:
        def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
            self.sites = deque(sites)
            self.slot.install(kwargs["transformer_options"])

        return enter

    def _leave_sites(self, *_) -> None:
        self.sites.clear()

    def _attention(self, call: HostCall) -> Tensor | None:
        """The output of one attention call in the host's shape, or PASS where nobody acts on it."""
        site = self.sites.popleft() if self.sites else None
        if site is None or not self.pipeline.wants(site) or not self._fits(call, site):
            return PASS
        q, k, v = call.heads_first()
        event = Attention(
            site, self.forward, q, k, v, call.mask, call.scale, lambda edited: call.run(edited, event), self._rows(q)
        )
        return call.to_host(self.pipeline.attention(event))

    def _fits(self, call: HostCall, site: Site) -> bool:
        tokens, expected = call.heads_first()[0].shape[2], self.forward.grid.tokens
        if tokens != expected:
            self.run.skip(f"{self.adapter.family} made a sequence of {tokens} tokens where its layout gives {expected}")
        return tokens == expected

    def _edit_block(self, site: Site) -> Callable:
        def edit(module: nn.Module, args: tuple, out: Tensor) -> Tensor:
            return self.pipeline.block(Block(site, self.forward, out, self._rows(out))).x

        return edit

    @staticmethod
    def _rows(x: Tensor) -> tuple[int, ...]:
        return tuple(range(x.shape[0]))
