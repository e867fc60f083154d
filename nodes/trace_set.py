"""Node: Trace Set."""

from __future__ import annotations

from comfy_api.latest import io

from ..py.core.errors import TemporalAttentionError
from ..py.records.trace_file import load
from ..py.records.trace_set import joined, trace_set
from . import _inputs as shared
from . import _tension as tension
from ._files import unknown
from ._traces import matching


class TraceSetNode(io.ComfyNode):
    """Traces, connected or saved -> TRACE_SET of videos."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="TA_TraceSet",
            display_name="Trace Set",
            category=shared.DIAGNOSTICS,
            description="Collects many videos with and without a technique for Tension Statistics and Tension Plots: saved "
            "traces by name pattern, connected traces, and earlier sets. Every sample of a batch counts as a video.",
            search_aliases=["compare traces", "pairs of runs", "many seeds", "collect traces", "baseline and treated"],
            inputs=[
                io.String.Input(
                    "saved",
                    default="",
                    placeholder="such as sth_*",
                    tooltip="Saved traces of runs with the technique: a name in which * stands for anything, such as sth_*. "
                    "Empty = none.",
                ),
                io.String.Input(
                    "saved_baselines",
                    default="",
                    placeholder="such as plain_*",
                    tooltip="Their baselines: a name in which * stands for the same text as in saved, such as plain_*. Empty = "
                    "each call is compared with itself before the edits.",
                ),
                shared.Trace.Input("trace", optional=True, tooltip="A run with the technique, to add to the set."),
                io.Latent.Input(
                    "samples",
                    optional=True,
                    tooltip="The latent that the traced sampler returned. Not needed for a loaded trace.",
                ),
                *tension.baseline_inputs(),
                tension.TraceSet.Input("earlier", optional=True, tooltip="A set to which these videos are added."),
                shared.branch_input("Keep"),
            ],
            outputs=[
                tension.TraceSet.Output(display_name="traces", tooltip="For Tension Statistics, Plots and Dashboard."),
                io.String.Output(display_name="videos", tooltip="The names of the videos, one per line."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, saved, saved_baselines, **others) -> list[tuple[str, int]] | float:
        """Changes when a saved file does, or when one is added. A linked name is not known yet (None)."""
        if saved is None or saved_baselines is None:
            return unknown()
        patterns = [pattern for pattern in (saved, saved_baselines) if pattern]
        return [(path.name, path.stat().st_mtime_ns) for pattern in patterns for path in matching(pattern).values()]

    @classmethod
    def execute(
        cls, saved, saved_baselines, branch, trace=None, samples=None, baseline=None, baseline_samples=None, earlier=None
    ) -> io.NodeOutput:
        """Gathers everything that is given."""
        sets = [] if earlier is None else [earlier]
        sets += _saved(saved.strip(), saved_baselines.strip(), branch) if saved.strip() else []
        if trace is not None:
            shared.very_run(trace, samples)
            if baseline is not None:
                shared.very_run(baseline, baseline_samples)
            sets.append(tension.paired(trace, samples, baseline, baseline_samples, branch, "video")[0])
        if not sets:
            raise TemporalAttentionError("traces", "none", "Enter a name pattern such as sth_* in saved, or connect a trace.")
        videos = joined(sets)
        return io.NodeOutput(videos, "\n".join(video.name for video in videos.videos))


def _saved(pattern: str, baselines: str, branch: str):
    """A set for each saved trace, read one after the other: only its columns stay in memory."""
    treated, plain = matching(pattern), matching(baselines) if baselines else None
    missing = sorted(part for part in treated if plain is not None and part not in plain)
    if missing:
        raise TemporalAttentionError(
            f"a baseline {baselines} for every trace {pattern}",
            f"none for * = {', '.join(missing)}",
            "Save it, or choose a narrower pattern.",
        )
    for part, path in treated.items():
        yield trace_set(load(path), plain and load(plain[part]), path.stem, shared.BRANCHES[branch])
