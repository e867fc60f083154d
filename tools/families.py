"""`dev.py families`: every tiny network of the tests, with each edit compared to the network edited by hand; one table.

`--readme` puts the families' table into README.md instead.
"""

import argparse
import sys
from collections import defaultdict

import torch

from tools import ROOT, inside_host  # noqa: F401  isort: skip  (before every comfy import)

sys.path.insert(0, str(ROOT / "tests" / "host"))

from comfy.model_management import load_models_gpu
from families import Tiny, sample, tiny_networks
from found import techniques
from interventions import BlockShift, FrameBias, IdentityAttention, QueryGain
from reference_edits import edited_attention

from pack.py.host.attach import attach
from pack.py.host.families import Adapter, BlockSites, adapter_of, adapters, network_of

EDITS = (QueryGain(), IdentityAttention(), FrameBias(), BlockShift())
START, END = "<!-- families: made by `python dev.py families -- --readme` -->", "<!-- end of families -->"
KINDS = {"self": "video", "joint": "video and text together", "temporal": "time", "spatial": "space"}


def difference(tiny: Tiny, model, edit) -> float:
    """Largest difference of a step with the pack's edit from one edited by hand, as a share of the largest value."""
    ours = sample(tiny, attach(model, edit), steps=1)
    with edited_attention(model, type(edit).__name__):
        by_hand = sample(tiny, model, steps=1)
    return float((ours - by_hand).abs().max() / by_hand.abs().max())


def row(name: str, tiny: Tiny) -> list[str]:
    """One line of the measured table."""
    model = tiny.load()
    plain = sample(tiny, model)
    neutral = all(torch.equal(sample(tiny, attach(model, technique.neutral())), plain) for technique in techniques())
    blocks = loaded_blocks(model)
    sites = sum(len(block.sites) for block in blocks)
    differences = [f"{difference(tiny, model, edit):.0e}" for edit in EDITS]
    hooks = any(module._forward_hooks or module._forward_pre_hooks for module in network_of(model).modules())
    verdicts = ["identical" if neutral else "DIFFERS", "HOOKS" if hooks else "nothing"]
    return [name, str(len(blocks)), str(sites), *differences, *verdicts]


def measured() -> str:
    """The measured table, all networks."""
    header = ["network", "blocks", "attentions", *(type(edit).__name__ for edit in EDITS), "neutral", "left behind"]
    return table([header, *(row(name, tiny) for name, tiny in tiny_networks().items())])


def loaded_blocks(model) -> tuple[BlockSites, ...]:
    """The blocks of a MODEL as a sampler finds them: some networks are complete only when they are loaded."""
    load_models_gpu([model])
    return adapter_of(model).blocks(network_of(model))


def by_family() -> dict[Adapter, list[tuple[str, tuple[BlockSites, ...]]]]:
    """The tiny networks of every adapter: (name, blocks)."""
    found = defaultdict(list)
    for name, tiny in tiny_networks().items():
        model = tiny.load()
        found[adapter_of(model)].append((name, loaded_blocks(model)))
    return found


def readme_table() -> str:
    """The families' table of the README."""
    networks, rows = by_family(), [["family", "attention to", "tested on", "passed through unchanged"]]
    for adapter in adapters():
        names = ", ".join(name.replace("_", " ") for name, _ in networks[adapter])
        sites = [site for _, blocks in networks[adapter] for block in blocks for site in block.sites]
        kinds = dict.fromkeys(KINDS.get(site.kind, site.keys) for site in sites)
        rows.append([adapter.family, ", ".join(kinds), names, adapter.left_alone or "nothing"])
    return table(rows)


def table(rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def readme_with(text: str, families: str) -> str:
    """The README with this table between the markers."""
    before, rest = text.split(START)
    return f"{before}{START}\n{families}\n{END}{rest.split(END)[1]}"


def main() -> None:
    arguments = argparse.ArgumentParser("dev.py families --", description=__doc__)
    arguments.add_argument("--readme", action="store_true", help="put the table of families into README.md")
    with torch.inference_mode():
        if arguments.parse_args().readme:
            path = ROOT / "README.md"
            path.write_text(readme_with(path.read_text(encoding="utf-8"), readme_table()), encoding="utf-8")
        else:
            print(measured())


if __name__ == "__main__":
    main()
