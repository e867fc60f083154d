"""One network call: hooks mark where the network is, the override hands attention to the pipeline, and all of it goes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from torch import Tensor, nn

from ..core.attention import Attention
from ..core.errors import TemporalAttentionError
from ..core.events import Block, Forward, Grid, Site
from ..core.intervention import Prompting
from ..core.pipeline import Pipeline
from ..core.run import Caller
from .families import Adapter, BlockSites
from .fold import Fold
from .kernel import HostCall
from .key_texts import lay_out
from .override import AttentionSlot
from .own_kernels import OwnKernels
from .prefix import Prefixes
from .tokens import as_it_is

PASS = None
Describe = Callable[[Grid | None, int | None, dict], Forward | None]
CROSS = ("cross", "control")  # kinds of site whose keys are not the queries' tokens


class ForwardScope:
    """Context manager around one network call.

    Args:
        caller: the sampling run, or the evaluation of a gradient, that this call belongs to.
        adapter, network: the family's adapter and the network that is about to be called.
        describe: (grid, videos in the batch, transformer options) -> Forward, or None where the batch is not the one that the
            options speak of; called once the network has its input. Without a grid, (None, None, options) -> None.
        prefixes: what the first blocks returned in earlier calls of this prediction; None where that is of no use.
        plain: the attention function where other packs' overrides are left out; None = the one that the host calls.
    """

    def __init__(
        self,
        caller: Caller,
        adapter: Adapter,
        network: nn.Module,
        describe: Describe,
        prefixes: Prefixes | None = None,
        plain: Callable[..., Tensor] | None = None,
    ):
        self.caller, self.adapter, self.network = caller, adapter, network
        self.describe, self.prefixes = describe, prefixes
        self.undo = ExitStack()
        self.slot = AttentionSlot(self._attention, plain)
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
        self.undo.close()
        self.slot.restore()
        for _ in range(self.own.restore()):
            self.caller.skip(f"an attention of {self.adapter.family} changed its kernel during a call")

    def _network_starts(self, network: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        x = args[0] if args else kwargs["x"]
        x = x[0] if isinstance(x, list) else x  # video and audio
        grid = self.adapter.grid(network, x, kwargs)
        self.forward = self.describe(grid, grid and self.adapter.rows(x, grid), kwargs["transformer_options"])
        if self.forward is None:
            self.caller.skip(self.adapter.passed_through(grid))
            return None
        self.level, self.pipeline = grid, self.caller.open(self.forward)
        if self.pipeline is None:
            return None
        self._mark_sites()
        return args, self._with_frame_texts(kwargs)

    def _with_frame_texts(self, kwargs: dict) -> dict:
        """The network's arguments, with the texts of all frames where an intervention gives them."""
        technique = next((i for i in self.pipeline.chain if isinstance(i, Prompting)), None)
        if technique is None:
            return kwargs
        start = self.forward.grid.text if self.adapter.side_by_side else None
        self.forward, kwargs = lay_out(technique, self.forward, kwargs, start)
        return kwargs

    def _mark_sites(self) -> None:
        for module, sites in self.adapter.texts(self.network):
            self._mark(module, sites)
        blocks = self.adapter.blocks(self.network)
        for block in blocks[self._resumed(blocks) :]:
            for module in block.levels:
                self.hooks.append(module.register_forward_pre_hook(self._enter_level))
            self.hooks.append(block.module.register_forward_pre_hook(self._enter_block(block)))
            if self.pipeline.wants_block(block.site):
                self.hooks.append(block.module.register_forward_hook(self._edit_block(block)))
            for module, sites in block.attentions:
                self._mark(module, sites)
        self._keep_prefixes(blocks)

    def _resumed(self, blocks: tuple[BlockSites, ...]) -> int:
        """The first block that really runs: those before it return what they did in an earlier call, where that was kept."""
        asked = self.forward.asked
        if not asked or not asked.first:
            return 0
        if self._prefixes_last and self.prefixes.resume(blocks[: asked.first], self.forward, self.undo):
            return asked.first
        self.caller.remark("an extra prediction ran the whole network, because its first blocks could not be kept")
        return 0

    @property
    def _prefixes_last(self) -> bool:
        """Can the first blocks of this call be kept? Not for context windows: there would be too many."""
        return self.prefixes is not None and self.adapter.sequential and not self.forward.windowed

    def _keep_prefixes(self, blocks: tuple[BlockSites, ...]) -> None:
        """Keeps what the first blocks return for calls that will be asked for."""
        if self.forward.extra or not self._prefixes_last:
            return
        for first, branch in dict.fromkeys(wanted for i in self.pipeline.chain if (wanted := i.asks(self.forward))):
            if first and (rows := self.forward.rows(branch)):
                self.hooks += self.prefixes.keep(blocks[:first], self.forward, rows)

    def _mark(self, module: nn.Module, sites: tuple[Site, ...]) -> None:
        if any(map(self.pipeline.wants, sites)):
            self.hooks.append(module.register_forward_pre_hook(self._enter_sites(sites), with_kwargs=True))
            self.hooks.append(module.register_forward_hook(self._leave_sites, always_call=True))
            self.own.install(module)

    def _enter_level(self, module: nn.Module, args: tuple) -> None:
        widest, (height, width) = self.forward.grid, args[0].shape[-2:]
        self.level = replace(widest, height=height, width=width, level=round(widest.width / width)).alone

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
        given = call.given()
        forward = self.forward if placed is self.forward.grid else replace(self.forward, grid=placed)
        # The kernel must not hold the event itself: in a cycle its tensors would wait for the garbage collector.
        rows = forward.rows(None)
        event = Attention(site, forward, *given, call.scale, lambda edited: call.run(edited, given), rows)
        return call.to_host(self.pipeline.attention(event))

    def _placed(self, site: Site, call: HostCall) -> Grid | None:
        """Where the video is in the call's tokens; None if it is not as foretold: patches may split it by rows or tokens."""
        rows, (queries, keys) = len(self.forward.branches), call.lengths
        place = as_it_is if site.kind == "text" else self.adapter.place
        placed = place(self.level, queries) if call.fits(rows) else None
        if placed is None or (site.kind not in CROSS and keys != queries):
            came = f"{call.q.shape[0]} rows, {queries} queries and {keys} keys"
            expected = f"{rows} rows and a video of {self.level.alone.tokens} tokens"
            self._refuse_mixtures(site, came, expected)
            self.caller.skip(f"an attention of {self.adapter.family} had {came}, where {expected} were expected")
            return None
        return placed

    def _refuse_mixtures(self, site: Site, came: str, expected: str) -> None:
        """Raises TemporalAttentionError where a call that is passed through would read the texts of all frames side by side."""
        if self.forward.text is not None and (site.kind == "joint" or site.keys == "text"):
            raise TemporalAttentionError(
                f"attention to text with {expected}, for each frame to read its own of several key prompts",
                came,
                "Remove the node that changes attention to text (NAG, for example), or use a single prompt.",
            )

    def _enter_block(self, block: BlockSites) -> Callable:
        return lambda *_: self.caller.entered(self.pipeline, self.forward, block.site.block)

    def _edit_block(self, block: BlockSites) -> Callable:
        def edit(module: nn.Module, args: tuple, out: object) -> object:
            grid = self.level
            video = block.output.read(out, grid)
            if video is None or video.shape[0] != len(self.forward.branches):
                self.caller.skip(f"a block of {self.adapter.family} returned something other than the tokens of all rows")
                return out
            forward = replace(self.forward, grid=grid.alone)
            edited = self.pipeline.block(Block(block.site, forward, video, forward.rows(None))).x
            return out if edited is video else block.output.write(out, grid, edited)

        return edit
