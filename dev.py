"""Every chore of this project is one command here: python dev.py --help."""

import argparse
import os
import sys

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


def parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("dev.py", description="Chores of Temporal Attention.", epilog=EPILOG, formatter_class=layout)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("demo", demo, "Run an example workflow from start to end; its results go to output/demo.")
    command("test", test, "Run ruff and all tests; `-- ARGUMENTS` go to pytest, or to the part.").add_argument(
        "part", nargs="?", choices=list(suite.PARTS), help="only this part"
    )
    command("serve", serve, "Start ComfyUI with this pack, to be opened in a browser.").add_argument(
        "--port", type=int, default=0, help="default: any free one"
    )
    command("bench", bench, "Measure speed and memory; `-- ARGUMENTS` go to tools/bench.py.")
    command("bench-bias", bench_bias, "Measure ways to add a band to attention; `-- ARGUMENTS` go to tools/bench_bias.py.")
    command("gradient-memory", gradient_memory, "Measure gradients to the latent; `-- ARGUMENTS` go to tools/gradient_memory.py.")
    command("families", families, "Print what was checked on every model family; `-- ARGUMENTS` go to tools/families.py.")
    command("demo-quality", demo_quality, "Score the demo model on unseen prompts; `-- ARGUMENTS` go to tools/demo_quality.py.")
    command("evidence", evidence, "Measure what the techniques do to the demo model; `-- NAMES` choose experiments.")
    command("train-demo", train_demo, "Train the demo model; `-- ARGUMENTS` go to tools/train_demo.py.")
    command("workflows", workflows, "Have the real frontend make example_workflows/ from tools/examples; needs a browser.")
    command("setup", setup, "Only make the ComfyUI that the other commands need.")
    command("where", where, "Say which ComfyUI and which Python are used.")
    return top


def demo(options: argparse.Namespace) -> int:
    return run_tool("demo")


def test(options: argparse.Namespace) -> int:
    found = host.ready()
    host.require(found, host.TO_TEST)
    return suite.run(found, options.part, options.more)


def serve(options: argparse.Namespace) -> int:
    return run_tool("serve", str(options.port))


def bench(options: argparse.Namespace) -> int:
    return run_tool("bench", *options.more)


def bench_bias(options: argparse.Namespace) -> int:
    return run_tool("bench_bias", *options.more)


def gradient_memory(options: argparse.Namespace) -> int:
    return run_tool("gradient_memory", *options.more)


def families(options: argparse.Namespace) -> int:
    return run_tool("families", *options.more)


def demo_quality(options: argparse.Namespace) -> int:
    return run_tool("demo_quality", *options.more)


def evidence(options: argparse.Namespace) -> int:
    return run_tool("evidence", *options.more)


def train_demo(options: argparse.Namespace) -> int:
    return run_tool("train_demo", *options.more)


def workflows(options: argparse.Namespace) -> int:
    return run_tool("workflows")


def setup(options: argparse.Namespace) -> int:
    host.ready()
    return where(options)


def where(options: argparse.Namespace) -> int:
    found = host.locate()
    if not found.python.exists():
        print("Not made yet; `python dev.py setup` makes it:")
    print(f"ComfyUI: {found.comfyui}\nPython: {found.python}")
    return 0


def run_tool(name: str, *arguments: str) -> int:
    """Runs tools/NAME.py with the host's Python."""
    found = host.ready()
    host.require(found, host.TO_RUN)
    command = child.leashed(found.python, "-m", f"tools.{name}", *arguments)
    return child.foreground(command, os.environ | {"COMFYUI_PATH": str(found.comfyui)})


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
