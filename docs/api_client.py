"""Runs a workflow in a ComfyUI that is already up, and saves what it makes. Python 3.10 or newer, nothing else.

python api_client.py "example_workflows/api/Spectral Transport Homeostasis.json" --set "With STH" seed 3 --to results
"""

import argparse
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

WAIT = 0.5  # seconds between two looks
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's own address


def ask(server: str, path: str, body: dict | None = None) -> bytes:
    """The server's answer. What it refuses with a reason (400) ends the program with that reason."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server + path, data, {"Content-Type": "application/json"})
    try:
        with DIRECT.open(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path}: {error.code}\n{error.read().decode(errors='replace')}") from error
    except urllib.error.URLError as error:
        raise SystemExit(
            f"Expected a ComfyUI at {server}, but got: {error.reason}. Start it, or give its address with --server."
        ) from None


def override(prompt: dict, title: str, name: str, value: str) -> None:
    """Sets an input of the one node with this title. `value` is JSON, or else text."""
    nodes = [node for node in prompt.values() if node.get("_meta", {}).get("title") == title]
    if len(nodes) != 1 or name not in nodes[0]["inputs"]:
        titles = sorted(node.get("_meta", {}).get("title", "") for node in prompt.values())
        raise SystemExit(f"Expected one node with the title {title!r} and an input {name!r}. Titles here: {titles}")
    try:
        nodes[0]["inputs"][name] = json.loads(value)
    except ValueError:
        nodes[0]["inputs"][name] = value


def finished(server: str, prompt_id: str) -> dict:
    """Waits for the end. Ctrl-C takes the prompt out of the queue, or stops it."""
    try:
        while not (history := json.loads(ask(server, f"/history/{prompt_id}"))):
            time.sleep(WAIT)
    except KeyboardInterrupt:
        ask(server, "/queue", {"delete": [prompt_id]})
        ask(server, "/interrupt", {"prompt_id": prompt_id})
        raise SystemExit("Interrupted.") from None
    found = history[prompt_id]
    if found["status"]["status_str"] != "success":
        raise SystemExit(json.dumps(found["status"]["messages"][-1], indent=2))
    return found


def save(server: str, shown: dict, folder: Path) -> None:
    """Writes the files of one node below `folder`, and prints its texts."""
    for item in (item for items in shown.values() if isinstance(items, list) for item in items):
        if isinstance(item, str):
            print(item)
        elif isinstance(item, dict) and "filename" in item:
            path = folder / item.get("subfolder", "") / item["filename"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(ask(server, "/view?" + urllib.parse.urlencode(item)))
            print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workflow", type=Path, help="a JSON file in API format (Workflow > Export (API))")
    parser.add_argument("--set", nargs=3, action="append", default=[], metavar=("TITLE", "INPUT", "VALUE"))
    parser.add_argument("--server", default="http://127.0.0.1:8188")
    parser.add_argument("--to", type=Path, default=Path("."), help="folder for the files")
    options = parser.parse_args()
    prompt = json.loads(options.workflow.read_text(encoding="utf-8"))
    for title, name, value in options.set:
        override(prompt, title, name, value)
    queued = json.loads(ask(options.server, "/prompt", {"prompt": prompt}))
    if queued["node_errors"]:  # the server would run the valid part and leave the rest out without a word
        ask(options.server, "/interrupt", {"prompt_id": queued["prompt_id"]})
        ask(options.server, "/queue", {"delete": [queued["prompt_id"]]})
        raise SystemExit(json.dumps(queued["node_errors"], indent=2))
    prompt_id = queued["prompt_id"]
    for shown in finished(options.server, prompt_id)["outputs"].values():
        save(options.server, shown, options.to)


if __name__ == "__main__":
    main()
