"""One network call: hooks mark where the network is, the override hands attention to the pipeline, and all of it goes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from ..core.events import Attention, Block, Forward, Grid, Site
from ..core.pipeline import Pipeline
from ..core.run import Run
from .families import Adapter, BlockSites
from .fold import Fold
from .kernel import HostCall
from .override import AttentionSlot
from .own_kernels import OwnKernels

PASS = None


class ForwardScope:
    """Context manager around one network call.

    Args:
        run: the sampling run that this call belongs to.
        adapter, network: the family's adapter and the network that is about to be called.
        describe: (grid, videos in the batch, transformer options) -> Forward, or None where the batch is not the one that the
            options speak of; called once the network has its input.
    """

    def __init__(self, run: Run, adapter: Adapter, network: nn.Module, describe: Callable[[Grid, int, dict], Forward | None]):
        self.run, self.adapter, self.network, self.describe = run, adapter, network, describe
        self.slot = AttentionSlot(self._attention)
        self.own = OwnKernels(adapter.kernel, self._attention)
        self.hooks: list = []
        self.forward: Forward | None = None
        self.level: Grid | None = None
        self.pipeline: Pipeline | None = None
        self.sites: deque[Site] = deque()

    def __enter__(self) -> ForwardScope:
        self.hooks.append(self.network.register_forward_pre_hook(self._network_starts, with_kwargs=True))
        return self

    def __exit__(self, *_) -> None:
        for hook in self.hooks:
            hook.remove()
        self.slot.restore()
        for _ in range(self.own.restore()):
            self.run.skip(f"an attention of {self.adapter.family} changed its kernel during a call")

    def _network_starts(self, network: nn.Module, args: tuple, kwargs: dict) -> None:
        x = args[0] if args else kwargs["x"]
        x = x[0] if isinstance(x, list) else x  # video and audio
        grid = self.adapter.grid(network, x, kwargs)
        if grid is None:
            self.run.skip(f"{self.adapter.family}: {self.adapter.unknown}")
            return
        self.forward = self.describe(grid, self.adapter.rows(x, grid), kwargs["transformer_options"])
        if self.forward is None:
            self.run.skip("another node split the batch, so that its rows cannot be told apart")
            return
        self.level, self.pipeline = grid, self.run.open(self.forward)
        if self.pipeline is not None:
            for block in self.adapter.blocks(self.network):
                self._mark_sites(block)

    def _mark_sites(self, block: BlockSites) -> None:
        for module in block.levels:
            self.hooks.append(module.register_forward_pre_hook(self._enter_level))
        if self.pipeline.wants_block(block.site):
            self.hooks.append(block.module.register_forward_hook(self._edit_block(block)))
        for module, sites in block.attentions:
            if any(map(self.pipeline.wants, sites)):
                self.hooks.append(module.register_forward_pre_hook(self._enter_sites(sites), with_kwargs=True))
                self.hooks.append(module.register_forward_hook(self._leave_sites, always_call=True))
                self.own.install(module)

    def _enter_level(self, module: nn.Module, args: tuple) -> None:
        height, width = args[0].shape[-2:]
        self.level = replace(self.forward.grid, height=height, width=width).alone

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
        call = call.folded(Fold.of(site.kind, self.level))
        placed = self._placed(site, call)
        if placed is None:
            return PASS
        given = call.heads_first()
        forward = self.forward if placed is self.forward.grid else replace(self.forward, grid=placed)
        # The kernel must not hold the event itself: in a cycle its tensors would wait for the garbage collector.
        rows = forward.rows(None)
        event = Attention(site, forward, *given, call.mask, call.scale, lambda edited: call.run(edited, given), rows)
        return call.to_host(self.pipeline.attention(event))

    def _placed(self, site: Site, call: HostCall) -> Grid | None:
        """Where the video is in the call's tokens; None if it is not as foretold: patches may split it by rows or tokens."""
        rows, (queries, keys) = len(self.forward.branches), call.lengths
        placed = self.adapter.place(self.level, queries) if call.fits(rows) else None
        if placed is None or (site.kind != "cross" and keys != queries):
            came = f"{call.q.shape[0]} rows, {queries} queries and {keys} keys"
            expected = f"{rows} rows and a video of {self.level.alone.tokens} tokens"
            self.run.skip(f"an attention of {self.adapter.family} had {came}, where {expected} were expected")
            return None
        return placed

    def _edit_block(self, block: BlockSites) -> Callable:
        def edit(module: nn.Module, args: tuple, out: object) -> object:
            grid = self.level
            video = block.output.read(out, grid)
            if video is None or video.shape[0] != len(self.forward.branches):
                self.run.skip(f"a block of {self.adapter.family} returned something else than the tokens of all rows")
                return out
            forward = replace(self.forward, grid=grid.alone)
            edited = self.pipeline.block(Block(block.site, forward, video, forward.rows(None))).x
            return out if edited is video else block.output.write(out, grid, edited)

        return edit
