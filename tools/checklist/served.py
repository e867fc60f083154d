"""Points 7, 8, 15 to 18, 26 and 27: what the server lists and serves."""

import json
import re
import subprocess
import sys
from urllib.error import HTTPError
from urllib.parse import quote

from tools import ROOT
from tools.checklist.point import expect, expect_none, point
from tools.checklist.workbench import ArchiveServer, Workbench
from tools.server import COLOUR

SLOWEST = 0.5  # seconds
LANGUAGES = ("zh", "ja")  # English is in the nodes themselves, see locales/README.md
LARGEST_PICTURE = 200_000  # bytes
BAD_NEWS = re.compile(rf"Cannot import|IMPORT FAILED|Skip .*module|WARNING.*(?:temporal|{re.escape(ROOT.name)})", re.I)


@point(7, "it loads without a word in the log, and fast")
def quiet(bench: Workbench) -> str:
    log = COLOUR.sub("", bench.log)
    expect_none([line for line in log.splitlines() if BAD_NEWS.search(line)], "lines")
    said = re.findall(rf"([\d.]+ seconds): .*{re.escape(ROOT.name)}$", log, re.M)
    command = [sys.executable, "-m", "tools.checklist.import_time"]
    measured = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    expect(float(measured) < SLOWEST, f"{measured} s of processor time to import, not under {SLOWEST}")
    return f"no bad line; {measured} s of processor time to import, {' '.join(said)} on the clock"


@point(8, "every node is there, from the checkout and from the archive alone")
def registered(bench: Workbench) -> str:
    files = {path.stem for path in (ROOT / "nodes").glob("*.py") if not path.name.startswith("_")}
    expect(len(files) == len(bench.own), f"{len(files)} files in nodes/, {len(bench.own)} nodes")
    base = bench.folder / "archive"
    (base / "custom_nodes").mkdir(parents=True)
    bench.unpacked.rename(base / "custom_nodes" / ROOT.name)
    bench.unpacked = base / "custom_nodes" / ROOT.name
    with ArchiveServer(base, cpu=True) as other:
        alone = set(other.pack_nodes())
    expect_none(bench.own.keys() ^ alone, "nodes differ")
    return f"{len(alone)} nodes by whitelist, the same {len(alone)} from the unpacked archive without one"


@point(15, "each JavaScript file is served once")
def extensions(bench: Workbench) -> str:
    served = [path for path in bench.client.get("/extensions") if path.startswith(f"/extensions/{ROOT.name}/")]
    files = [path for path in (ROOT / "js").rglob("*.js")]
    expect(len(served) == len(set(served)) == len(files), f"{len(served)} served of {len(files)} files: {served}")
    return f"{len(files)} files"


@point(16, "each node has a help page, and one where a language has none")
def help_pages(bench: Workbench) -> str:
    missing = []
    for id in bench.own:
        for path in (f"{id}/en.md", f"{id}.md"):
            try:
                answer = bench.get(f"/extensions/{ROOT.name}/docs/{path}")
                missing += [] if answer.body.strip() and answer.kind != "text/html" else [path]
            except HTTPError:
                missing.append(path)
    expect_none(missing, "pages missing")
    return f"{2 * len(bench.own)} pages"


@point(17, "names and tooltips in each language")
def translations(bench: Workbench) -> str:
    served, missing = bench.client.get("/i18n"), []
    for language in LANGUAGES:
        own = ROOT / "locales" / language / "nodeDefs.json"
        expect(own.is_file(), f"no {own.relative_to(ROOT)}")
        texts = json.loads(own.read_text(encoding="utf-8"))
        expect(texts.items() <= served[language]["nodeDefs"].items(), f"the server has other texts for {language}")
        for id, info in bench.own.items():
            inputs = {name.replace(".", "_") for part in ("required", "optional") for name in info["input"].get(part, {})}
            told = texts.get(id, {}).get("inputs", {}).keys()
            missing += [f"{language} {id}"] if id not in texts else [f"{language} {id}.{name}" for name in sorted(inputs ^ told)]
    expect_none(missing, "texts missing or left over")
    return f"{len(bench.own)} nodes in {', '.join(LANGUAGES)}"


@point(18, "each example has a picture")
def thumbnails(bench: Workbench) -> str:
    listed = bench.client.get("/workflow_templates").get(ROOT.name, [])
    expect_none(set(listed) ^ bench.examples.keys(), "examples are not listed")
    wrong, largest = [], 0
    for name in listed:
        try:
            answer = bench.get(f"/api/workflow_templates/{quote(ROOT.name)}/{quote(name)}.jpg")
        except HTTPError:
            wrong.append(f"{name}: none")
            continue
        size = len(answer.body)
        largest = max(largest, size)
        wrong += [f"{name}: {answer.kind}, {size} bytes"] * (answer.kind != "image/jpeg" or size > LARGEST_PICTURE)
    expect_none(wrong, "pictures")
    return f"{len(listed)} examples; the largest picture has {largest / 1000:.0f} kB"


@point(26, "blueprints are listed, load without a toast, and drop in as one node")
def blueprints(bench: Workbench) -> str:
    listed = bench.client.get("/global_subgraphs").values()
    ours = {one["name"] for one in listed if one["info"]["node_pack"] == f"custom_nodes.{ROOT.name}"}
    files = {path.stem for path in (ROOT / "subgraphs").glob("*.json")}
    expect(bool(files), "no file in subgraphs/")
    expect_none(files ^ ours, "not listed")
    for mode, found in bench.seen["modes"].items():
        expect_none(found["toasts"], f"toasts at the start ({mode})")
    dropped = bench.seen["blueprints"]
    expect_none([f"{one['name']}: {one['wrong']}" for one in dropped if one["wrong"]], "do not drop in")
    expect_none(files - {one["name"] for one in dropped}, "not among the frontend's blueprints")
    return ", ".join(f"{one['name']} ({one['inputs']} inputs, {one['outputs']} outputs)" for one in dropped)


@point(27, "retired ids are replaced")
def replacements(bench: Workbench) -> str:
    released = json.loads((ROOT / "tests" / "host" / "node_signatures.json").read_text(encoding="utf-8"))
    retired = released.keys() - bench.own.keys()
    expect_none(retired - set(bench.client.get("/node_replacements")), "retired ids without a replacement")
    return f"{len(retired)} of {len(released)} released ids are retired"
