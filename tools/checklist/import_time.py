"""Prints the seconds of processor time that importing the pack takes once the host is there: the wall clock is not ours alone."""

import asyncio
import time

import tools.inside_host  # noqa: F401  (before every import of the host)
from tools import signatures

import nodes  # isort: skip  (the host's own)

if __name__ == "__main__":
    asyncio.run(nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False))
    started = time.process_time()
    signatures.node_classes()
    print(f"{time.process_time() - started:.2f}")
