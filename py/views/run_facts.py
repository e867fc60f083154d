"""What is known about a traced run, in words."""

from __future__ import annotations

from ..core.trace import Trace


def run_facts_text(trace: Trace, name: str) -> str:
    """Plain text, one fact a line."""
    megabytes = trace.nbytes / 2**20
    lines = [f"{name}: {trace.family}, {trace.blocks} blocks, {len(trace.records)} calls, {megabytes:.1f} MB of measurements"]
    for fact, value in trace.facts.items():
        lines += [f"{fact}: {item}" for item in value] if fact == "techniques" else [f"{fact}: {value}"]
    return "\n".join([*lines, *trace.report])
