"""`dev.py demo`: runs an example workflow in a real ComfyUI and keeps its results. Runs in the host's own Python."""

import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT
from tools.client import Client, Output, Prompt, PromptError
from tools.errors import ChoreError
from tools.progress import Progress
from tools.server import Server, has_gpu

WORKFLOW = ROOT / "example_workflows" / "api" / "Spectral Transport Homeostasis.json"
RESULTS = ROOT / "output" / "demo"
COUNTER = re.compile(r"(_\d+)_(\.\w+)$")  # the host's save nodes name a file PREFIX_00001_.png


def main() -> None:
    started = time.monotonic()
    if not WORKFLOW.is_file():
        raise ChoreError(f"the workflow {WORKFLOW.relative_to(ROOT)}", "no such file", "Restore it from the repository.")
    prompt: Prompt = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    titles = {node: content.get("_meta", {}).get("title", content["class_type"]) for node, content in prompt.items()}
    print("Starting ComfyUI ...", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base, Server(Path(base), cpu=not has_gpu()) as server:
        print(f"ComfyUI is up after {time.monotonic() - started:.0f} s; running {WORKFLOW.name}", flush=True)
        outputs = run(Client(server.url), prompt, titles)
    for output in outputs:
        if isinstance(output.content, str):
            print(f"{titles[output.node]}:\n{output.content}\n")
    for path in keep([output for output in outputs if output.folder == "output"]):
        print(path)
    print(f"Done in {time.monotonic() - started:.0f} s")


def run(client: Client, prompt: Prompt, titles: dict[str, str]) -> list[Output]:
    """Ctrl-C cancels the prompt before the server is stopped."""
    prompt_id = client.queue(prompt)
    progress = Progress(titles)
    try:
        return client.outputs(client.follow(prompt_id, progress))
    except KeyboardInterrupt:
        client.interrupt(prompt_id)
        raise
    finally:
        progress.close()


def keep(files: Sequence[Output]) -> list[Path]:
    """Writes them under the prefix their node gave them; numbered only where several share one."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    prefixes = Counter(COUNTER.sub(r"\2", file.name) for file in files)
    paths = []
    for file in files:
        alone, numbered = COUNTER.sub(r"\2", file.name), COUNTER.sub(r"\1\2", file.name)
        paths.append(RESULTS / (alone if prefixes[alone] == 1 else numbered))
        paths[-1].write_bytes(file.content)
    return paths


if __name__ == "__main__":
    try:
        main()
    except (ChoreError, PromptError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Interrupted; the server is stopped.", file=sys.stderr)
        sys.exit(130)
