"""A client of ComfyUI's API: queue a prompt, follow it to its end, fetch what it made."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

Prompt = dict[str, dict[str, Any]]  # {node id: {"class_type", "inputs"}}, ComfyUI's "API format"
OnProgress = Callable[[str, float, float], None]  # node id, step, steps

# A proxy cannot reach the loopback address.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PromptError(Exception):
    """The server refused a prompt, or running it failed; `details` is the server's own answer."""

    def __init__(self, message: str, details: dict[str, Any]):
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Output:
    """One thing that a node showed or saved: a text, or a file's content with its name and folder ("output" or "temp")."""

    node: str
    content: str | bytes
    name: str = ""
    folder: str = ""


class Client:
    def __init__(self, url: str):
        self.url = url
        self.id = uuid.uuid4().hex  # the server sends a prompt's events to the client that queued it

    def queue(self, prompt: Prompt) -> str:
        """Returns the prompt's id. Raises PromptError if the server finds it, or only a part of it, invalid."""
        try:
            answer = self.post("/prompt", {"prompt": prompt, "client_id": self.id})
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            answer = json.load(error)
        if not answer.get("node_errors") and "prompt_id" in answer:
            return answer["prompt_id"]
        if "prompt_id" in answer:  # the server would run the valid part and leave the rest out without a word
            self.cancel(answer["prompt_id"])
        raise PromptError(refusal(answer), answer)

    def follow(self, prompt_id: str, on_progress: OnProgress = lambda node, step, steps: None) -> dict[str, Any]:
        """Waits for the end and returns the prompt's history. Raises PromptError if it failed or was interrupted."""
        asyncio.run(self._watch(prompt_id, on_progress))
        history = self.get(f"/history/{prompt_id}")[prompt_id]
        if history["status"]["status_str"] != "success":
            raise PromptError(failure(history), history)
        return history

    def outputs(self, history: dict[str, Any]) -> list[Output]:
        """Texts and files of every node, in the order in which they were made."""
        return [output for node, shown in history["outputs"].items() for output in self._shown(node, shown)]

    def interrupt(self, prompt_id: str) -> None:
        """Stops a running prompt."""
        self.post("/interrupt", {"prompt_id": prompt_id})

    def cancel(self, prompt_id: str) -> None:
        """Stops a prompt, whether it waits or runs."""
        self.post("/queue", {"delete": [prompt_id]})
        self.interrupt(prompt_id)

    def get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return json.loads(self._open(path, json.dumps(body).encode()) or "null")

    def _open(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with DIRECT.open(request, timeout=60) as answer:
            return answer.read()

    async def _watch(self, prompt_id: str, on_progress: OnProgress) -> None:
        async for kind, data in self._events():
            if kind == "status" and prompt_id in self.get(f"/history/{prompt_id}"):
                return  # it ended before the connection was there
            if data.get("prompt_id") != prompt_id:
                continue
            if kind == "progress_state":
                for node, state in data["nodes"].items():
                    if state["state"] == "running":
                        on_progress(node, state["value"], state["max"])
            elif kind == "executing" and data["node"] is None:
                return
        raise PromptError("The server closed the connection before the prompt ended.", {})

    async def _events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Every (type, data) the server sends; binary messages are previews and are left out."""
        address = f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.id}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    event = message.json()
                    yield event["type"], event["data"]

    def _shown(self, node: str, shown: dict[str, Any]) -> Iterator[Output]:
        for item in (item for items in shown.values() if isinstance(items, list) for item in items):
            if isinstance(item, str):
                yield Output(node, item)
            elif isinstance(item, dict) and "filename" in item:
                yield Output(node, self._open(f"/view?{urllib.parse.urlencode(item)}"), item["filename"], item["type"])


def refusal(details: dict[str, Any]) -> str:
    """The answer to an invalid prompt, one line for each mistake."""
    mistakes = [
        (f"node {node} ({found['class_type']})", error)
        for node, found in details.get("node_errors", {}).items()
        for error in found["errors"]
    ] or [("the prompt", details["error"])]
    lines = [": ".join(filter(None, (where, error["message"], error["details"]))) for where, error in mistakes]
    return "\n".join(["The server refused the prompt.", *lines])


def failure(history: dict[str, Any]) -> str:
    """Why a prompt did not succeed: the node and its exception, with the innermost frames."""
    for kind, data in history["status"]["messages"]:
        if kind == "execution_interrupted":
            return f"Interrupted in node {data['node_id']} ({data['node_type']})."
        if kind == "execution_error":
            exception = f"{data['exception_type'].rpartition('.')[2]}: {data['exception_message'].rstrip()}"
            frames = "".join(data["traceback"][-3:]).rstrip()
            return f"Node {data['node_id']} ({data['node_type']}) failed: {exception}\n{frames}"
    return "The prompt ended without success and without an error."
