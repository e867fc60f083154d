"""The help pages: one a node, all of one form, with a picture that exists and links that lead somewhere."""

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "js" / "docs"
REPOSITORY = "https://github.com/temporal-attention/ComfyUI-Temporal-Attention/blob/main/"
PARTS = ("## Inputs", "## Outputs", "## Cost, models, limits")
SAID = ("**Try first:**", "**Cost:**", "**Works on:**", "**Limits:**")
LARGEST = 150_000  # bytes of a picture
NODES = sorted(
    re.search(r'node_id="(TA_\w+)"', path.read_text(encoding="utf-8"))[1] for path in (ROOT / "nodes").glob("[!_]*.py")
)
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]


def page(node):
    return (DOCS / node / "en.md").read_text(encoding="utf-8")


def links(text):
    """Targets of links and pictures, code left out."""
    return re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S))


def pictures(text):
    """Targets of pictures."""
    return re.findall(r"!\[[^\]]+\]\(([^)]*)\)", text)


def anchors(path):
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(target, page):
    name, _, anchor = target.partition("#")
    path = (page.parent / name if name else page).resolve()
    return path.exists() and (not anchor or anchor in anchors(path))


def test_every_node_has_a_page_and_no_other_is_there():
    assert sorted(path.parent.name for path in DOCS.glob("*/en.md")) == NODES
    assert sorted(path.stem for path in DOCS.glob("*.md")) == NODES


@pytest.mark.parametrize("node", NODES)
def test_the_page_for_other_languages_is_the_same(node):
    assert (DOCS / f"{node}.md").read_text(encoding="utf-8") == page(node), "run `python dev.py help-pages`"


@pytest.mark.parametrize("node", NODES)
def test_pages_have_one_form(node):
    text = page(node)
    assert text.startswith("# ") and "\r" not in text
    places = [text.index(part) for part in PARTS]
    assert places == sorted(places) and all(text.count(said) == 1 for said in SAID)


@pytest.mark.parametrize("node", NODES)
def test_pages_begin_with_the_picture_of_what_they_do_and_all_are_small(node):
    """ComfyUI resolves them against js/docs, as GitHub does for js/docs/NODE.md."""
    first, *others = pictures(page(node))
    assert first == f"{node}/picture.png" and page(node).index(first) < page(node).index("## Inputs")
    assert {path.name for path in (DOCS / node).glob("*.png")} == {Path(shown).name for shown in (first, *others)}
    for shown in (first, *others):
        assert Path(shown).parent.name == node and (DOCS / shown).stat().st_size < LARGEST
        with Image.open(DOCS / shown) as picture:
            assert picture.width <= 1200 and picture.format == "PNG"


@pytest.mark.parametrize("node", NODES)
def test_links_of_a_page_work_inside_comfyui(node):
    """There a relative link would lead to the server's root."""
    for target in set(links(page(node))) - set(pictures(page(node))):
        assert target.startswith("https://"), target
        if target.startswith(REPOSITORY):
            assert leads_somewhere(target.removeprefix(REPOSITORY), ROOT / "README.md"), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_of_the_documents_resolve(path):
    for target in links(path.read_text(encoding="utf-8")):
        assert target.startswith("http") or leads_somewhere(target, path), target


@pytest.mark.parametrize("path", [*sorted(DOCS.glob("*/en.md")), *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_rows_of_tables_have_as_many_cells_as_their_headers(path):
    """A bar that is not escaped ends a cell, in code too, and what is too much of a row is not shown."""
    lines = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S).splitlines()
    wanted = 0
    for line in lines:
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1 if line.lstrip().startswith("|") else 0
        wanted = (wanted or cells) if cells else 0
        assert cells == wanted, line


def test_every_picture_of_the_documents_is_shown():
    shown = {(path.parent / target).resolve() for path in PAGES for target in pictures(path.read_text(encoding="utf-8"))}
    registry = {ROOT / name for name in re.findall(r"docs/\w+\.png", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))}
    assert set((ROOT / "docs").rglob("*.png")) <= shown | registry
