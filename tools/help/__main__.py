"""`dev.py help-pages`: copies the help pages for all languages; `-- --pictures [GRAPH ...]` also draws their pictures anew.

ComfyUI looks for a page in the language of its user (`TA_X/zh.md`), and if there is none for `TA_X.md`, never for `TA_X/en.md`.
"""

import argparse
import io
import re
import tempfile
import textwrap
import wave
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tools import ROOT
from tools.client import Client
from tools.help import draw
from tools.help.graphs import SOUND, Graph, graphs, loading
from tools.server import Server

PAGES = ROOT / "js" / "docs"
KEPT = re.compile(r"(TA_\w+?)\.(\d+)_\d+_\.png")
WIDEST = 130  # characters of a line of text
LARGEST = 150_000  # bytes of a picture


def main() -> None:
    parser = argparse.ArgumentParser("dev.py help-pages", description=__doc__)
    found = {graph.name: graph for graph in (*graphs(), loading())}
    parser.add_argument(
        "--pictures", nargs="*", choices=found, metavar="GRAPH", help=f"draw the pictures anew, or those of {', '.join(found)}"
    )
    chosen = parser.parse_args().pictures
    if chosen is not None:
        pictures([found[name] for name in chosen] or list(found.values()))
    for page in PAGES.glob("*/en.md"):
        (PAGES / f"{page.parent.name}.md").write_bytes(page.read_bytes())


def pictures(chosen: Sequence[Graph]) -> None:
    """Runs the graphs in a real server and keeps what the nodes made."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Server(Path(folder), cpu=True) as server:
        write_sound(server.base / "input" / SOUND)
        client = Client(server.url)
        known = client.get("/object_info")
        for graph in chosen:
            for page, picture in made(graph, client, known, folder).items():
                path = PAGES / page / "picture.png"
                picture.save(path, optimize=True)
                if path.stat().st_size > LARGEST:
                    draw.small(picture).save(path, optimize=True)
                print(f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {path.stat().st_size // 1000} kB")


def made(graph: Graph, client: Client, known: dict, folder: str) -> dict[str, Image.Image]:
    """Page -> picture."""
    prompt = graph.recipe.filled(known)
    clips: dict[str, dict[int, list[Image.Image]]] = defaultdict(lambda: defaultdict(list))
    texts: dict[str, list[str]] = defaultdict(list)
    for output in client.outputs(client.follow(client.queue(prompt))):
        title = prompt[output.node]["_meta"]["title"]
        if kept := KEPT.fullmatch(output.name):
            clips[kept[1]][int(kept[2])].append(Image.open(io.BytesIO(output.content)))
        elif isinstance(output.content, str) and title.startswith("TA_"):
            texts[title].append(output.content.replace(folder, "ComfyUI"))
    found = {page: picture_of(places, graph.rows.get(page)) for page, places in clips.items()}
    return found | {page: draw.small(draw.text("\n\n".join(map(wrapped, parts)))) for page, parts in texts.items()}


def picture_of(places: dict[int, list[Image.Image]], labels: list[str] | None) -> Image.Image:
    ordered = [places[place] for place in sorted(places)]
    return draw.small(draw.rows(ordered, labels)) if labels else draw.stack([images[0] for images in ordered])


def wrapped(text: str) -> str:
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, WIDEST, subsequent_indent="  ") or [""])


def write_sound(path: Path) -> None:
    """Two seconds with three short clicks that fade."""
    rate = 16000
    time = np.arange(2 * rate) / rate
    hits = sum(np.where(time >= at, np.exp(-(time - at) * 40), 0) * np.sin(2 * np.pi * 900 * time) for at in (0.3, 0.8, 1.5))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((hits * 20000).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
