"""Pictures that fill up while a run goes on: the host's live previews, sent to the nodes that record it.

The sampler is the node that executes meanwhile, so each preview names its own node. Nothing is drawn where no browser waits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from comfy_api.feature_flags import supports_feature
from comfy_execution.progress import WebUIProgressHandler, get_progress_state

from ..core.intervention import Intervention, Observer
from ..core.live import Live
from ..core.trace import Record

INTERVAL = 0.3  # seconds between two pictures of one node, at least


class LivePreviews:
    """The previews of one run of these interventions on a network of `blocks` blocks."""

    def __init__(self, chain: tuple[Intervention, ...], blocks: int):
        shown = [i for i in chain if isinstance(i, Observer) and i.live is not None]
        self._previews = [_Preview(i, i.live, blocks) for i in shown] if shown and _browser() else []

    def add(self, observer: Observer, records: Sequence[Record]) -> None:
        """Shows what the observer recorded in a step, unless the last picture is too young; `close` shows it then."""
        for preview in self._previews:
            if records and preview.observer == observer:
                preview.picture.add(records)
                preview.fresh = True
                if time.monotonic() >= preview.due:
                    preview.send()

    def close(self) -> None:
        """Shows what is not shown yet."""
        for preview in self._previews:
            if preview.fresh:
                preview.send()


class _Preview:
    def __init__(self, observer: Observer, live: Live, blocks: int):
        self.observer, self.node, self.picture = observer, live.node, live.picture(blocks)
        self.due, self.fresh = 0.0, False

    def send(self) -> None:
        browser = _browser()
        if browser is not None:
            image = ("PNG", self.picture.draw(), None)
            state = browser.registry.ensure_entry(self.node)
            browser.update_handler(self.node, state["value"], state["max"], state, browser.registry.prompt_id, image)
        self.due, self.fresh = time.monotonic() + INTERVAL, False


def _browser() -> WebUIProgressHandler | None:
    """The host's way to the browser that queued the running prompt; None where there is none, or it shows no such previews."""
    handler = get_progress_state().handlers.get("webui")
    server = handler and handler.server_instance
    if server and supports_feature(server.sockets_metadata, server.client_id, "supports_preview_metadata"):
        return handler
    return None
