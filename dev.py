"""Every chore of this project is one command here: python dev.py --help."""

import argparse
import os
import sys
from functools import partial

if sys.version_info < (3, 10):  # noqa: UP036  (whoever starts this file chooses the Python)
    sys.exit(f"Expected Python 3.10 or newer, but got {sys.version.split()[0]}. Run dev.py with a newer one.")

# The portable build's Python does not look beside the script by itself.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from tools import child, host, suite  # noqa: E402
from tools.errors import ChoreError  # noqa: E402

EPILOG = """
The commands run in a real ComfyUI. By default one is made for this pack in your cache folder, once.
  COMFYUI_PATH               use this ComfyUI of yours instead; nothing is ever installed into it
  COMFYUI_PYTHON             the Python that runs it, if it is not found
  TEMPORAL_ATTENTION_CACHE   where this pack's own ComfyUI is made and kept
  ANIMATEDIFF_PATH           a checkout of ComfyUI-AnimateDiff-Evolved, to be tested with (8 GB of memory, four minutes)
"""


def test(options: argparse.Namespace) -> int:
    found = host.ready()
    host.require(found, host.TO_TEST)
    return suite.run(found, options.part, options.more)


def serve(options: argparse.Namespace) -> int:
    options.more = [str(options.port), *options.more]
    return tool("serve", options)


def setup(options: argparse.Namespace) -> int:
    host.ready()
    return where(options)


def where(options: argparse.Namespace) -> int:
    found = host.locate()
    if not found.python.exists():
        print("Not made yet; `python dev.py setup` makes it:")
    print(f"ComfyUI: {found.comfyui}\nPython: {found.python}")
    return 0


def tool(name: str, options: argparse.Namespace) -> int:
    """Runs tools/NAME.py with the host's Python and the arguments after --."""
    found = host.ready()
    host.require(found, host.TO_RUN)
    command = child.leashed(found.python, "-m", f"tools.{name}", *options.more)
    return child.foreground(command, os.environ | {"COMFYUI_PATH": str(found.comfyui)})


COMMANDS = {  # name -> the file of tools that does it, or a function; and what it is for
    "demo": ("demo", "Run an example workflow from start to end; its results go to output/demo."),
    "test": (test, "Run ruff and all tests; `-- ARGUMENTS` go to pytest, or to the part."),
    "serve": (serve, "Start ComfyUI with this pack, to be opened in a browser."),
    "bench": ("bench", "Measure speed and memory; `-- ARGUMENTS` go to tools/bench.py."),
    "bench-bias": ("bench_bias", "Measure ways to add a band to attention; `-- ARGUMENTS` go to tools/bench_bias.py."),
    "bench-trace": ("bench_trace", "Measure the trace of a large model: its size, and the time of every picture of it."),
    "gradient-memory": ("gradient_memory", "Measure gradients to the latent; `-- ARGUMENTS` go to tools/gradient_memory.py."),
    "families": ("families", "Print what was checked on every model family; `-- ARGUMENTS` go to tools/families.py."),
    "demo-quality": ("demo_quality", "Score the demo model on unseen prompts; `-- ARGUMENTS` go to tools/demo_quality.py."),
    "evidence": ("evidence", "Measure what the techniques do to the demo model; `-- NAMES` choose experiments."),
    "train-demo": ("train_demo", "Train the demo model; `-- ARGUMENTS` go to tools/train_demo.py."),
    "help-pages": ("help", "Copy the help pages for all languages; `-- --pictures` draws their pictures anew."),
    "workflows": ("workflows", "Have the real frontend make the examples and blueprints; `-- NAMES` chooses."),
    "signatures": ("signatures", "Accept inputs and outputs of the nodes as they are: tests/host/node_signatures.json."),
    "checklist": ("checklist", "Check thirty points of a first-class pack on the real host; `-- NUMBERS` chooses."),
    "setup": (setup, "Only make the ComfyUI that the other commands need."),
    "where": (where, "Say which ComfyUI and which Python are used."),
}


def parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("dev.py", description="Chores of Temporal Attention.", epilog=EPILOG, formatter_class=layout)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, text) in COMMANDS.items():
        run = run if callable(run) else partial(tool, run)
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    commands.choices["test"].add_argument("part", nargs="?", choices=list(suite.PARTS), help="only this part")
    commands.choices["serve"].add_argument("--port", type=int, default=0, help="default: any free one")
    return top


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser().parse_args(arguments[:split])
    options.more = arguments[split + 1 :]
    try:
        return options.run(options)
    except ChoreError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
