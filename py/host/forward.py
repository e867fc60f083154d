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
        x = x[0] if isinstance(x, list) else x  # video and audio
        grid = self.adapter.grid(network, x, kwargs)
        if grid is None:
            self.run.skip(f"this token layout of {self.adapter.family} is not known")
            return
        self.forward = self.describe(grid, self.adapter.rows(x, grid), kwargs["transformer_options"])
        if self.forward is None:
            self.run.skip("another node split the batch, so that its rows cannot be told apart")
            return
        self.pipeline = self.run.open(self.forward)
        if self.pipeline is not None:
            self._mark_sites()

    def _mark_sites(self) -> None:
        for block in self.adapter.blocks(self.network):
            if self.pipeline.wants_block(block.site):
                self.hooks.append(block.module.register_forward_hook(self._edit_block(block), with_kwargs=True))
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
        grid = self._level(call.options["transformer_options"])
        call = call.folded(Fold.of(site.kind, grid))
        placed = self._placed(site, grid, call)
        if placed is None:
            return PASS
        given = call.heads_first()
        forward = self.forward if placed is self.forward.grid else replace(self.forward, grid=placed)
        # The kernel must not hold the event itself: in a cycle its tensors would wait for the garbage collector.
        rows = forward.rows(None)
        event = Attention(site, forward, *given, call.mask, call.scale, lambda edited: call.run(edited, given), rows)
        return call.to_host(self.pipeline.attention(event))

    def _level(self, options: dict) -> Grid:
        """The grid of the level of the network that is being run."""
        widest = self.forward.grid
        grid = self.adapter.level(widest, options)
        return grid if grid.width == widest.width else replace(grid, level=round(widest.width / grid.width))

    def _placed(self, site: Site, grid: Grid, call: HostCall) -> Grid | None:
        """Where the video is in the call's tokens; None if it is not as foretold: patches may split it by rows or tokens."""
        rows, (queries, keys) = len(self.forward.branches), call.lengths
        placed = self.adapter.place(grid, queries) if call.fits(rows) else None
        if placed is None or (site.kind != "cross" and keys != queries):
            came = f"{call.q.shape[0]} rows, {queries} queries and {keys} keys"
            expected = f"{rows} rows and a video of {grid.alone.tokens} tokens"
            self.run.skip(f"an attention of {self.adapter.family} had {came}, where {expected} were expected")
            return None
        return placed

    def _edit_block(self, block: BlockSites) -> Callable:
        def edit(module: nn.Module, args: tuple, kwargs: dict, out: object) -> object:
            grid = self.adapter.level(self.forward.grid, kwargs["transformer_options"])
            video = block.output.read(out, grid)
            if video is None or video.shape[0] != len(self.forward.branches):
                self.run.skip(f"a block of {self.adapter.family} returned something else than the tokens of all rows")
                return out
            forward = replace(self.forward, grid=grid.alone)
            edited = self.pipeline.block(Block(block.site, forward, video, forward.rows(None))).x
            return out if edited is video else block.output.write(out, grid, edited)

        return edit
