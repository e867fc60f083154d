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
        describe: (grid, batch size, transformer options) -> Forward, or None where the batch is not the one that the
            options speak of; called once the network has its input.
    """

    def __init__(self, run: Run, adapter: Adapter, network: nn.Module, describe: Callable[[Grid, int, dict], Forward | None]):
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
        if self.forward is None:
            self.run.skip("another node split the batch, so that its rows cannot be told apart")
            return
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
            if (options := kwargs.get("transformer_options")) is not None:
                self.sites = deque(sites)
                self.slot.install(options)

        return enter

    def _leave_sites(self, *_) -> None:
        self.sites.clear()

    def _attention(self, call: HostCall) -> Tensor | None:
        """The output of one attention call in the host's shape, or PASS where nobody acts on it."""
        site = self.sites.popleft() if self.sites else None
        if site is None or not self.pipeline.wants(site):
            return PASS
        given = call.heads_first()
        if not self._fits(site, *given):
            return PASS
        # The kernel must not hold the event itself: in a cycle its tensors would wait for the garbage collector.
        rows = self.forward.rows(None)
        event = Attention(site, self.forward, *given, call.mask, call.scale, lambda edited: call.run(edited, given), rows)
        return call.to_host(self.pipeline.attention(event))

    def _fits(self, site: Site, q: Tensor, k: Tensor, v: Tensor) -> bool:
        """Is this the call that the forward's layout foretells? Patches may split it by rows or tokens."""
        rows, tokens = len(self.forward.branches), self.forward.grid.tokens
        expected = (rows, tokens) if site.kind == "cross" else (rows, tokens, tokens)
        came = (q.shape[0], q.shape[2]) if site.kind == "cross" else (q.shape[0], q.shape[2], k.shape[2])
        if came != expected:
            self.run.skip(f"an attention of {self.adapter.family} had (rows, tokens) {came} where its layout gives {expected}")
        return came == expected

    def _edit_block(self, site: Site) -> Callable:
        def edit(module: nn.Module, args: tuple, out: Tensor) -> Tensor:
            if out.shape[0] != len(self.forward.branches):
                self.run.skip(f"a block of {self.adapter.family} was run on {out.shape[0]} of {len(self.forward.branches)} rows")
                return out
            return self.pipeline.block(Block(site, self.forward, out, self.forward.rows(None))).x

        return edit
