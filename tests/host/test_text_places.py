"""Where the rows of a prompt stand among the keys of joint and cross-attention: those whose keys change with them the most."""

from dataclasses import dataclass, field

import pytest
import torch
from families import conditioning, sample, tiny_networks

from pack.py.core.events import Branch
from pack.py.core.intervention import Observer, Where
from pack.py.host.attach import attach
from pack.py.techniques.word_maps import KINDS, reads_text

NETWORKS = tiny_networks()
READING = [name for name in NETWORKS if name not in ("svd", "animatediff")]
ROW = 3


@dataclass(frozen=True, kw_only=True)
class Keys(Observer):
    """Keeps the keys of the first attention that reads text, and where it says that the prompt begins."""

    log: list
    branch: Branch | None = Branch.COND
    where: Where = field(default_factory=lambda: Where(KINDS, frozenset({0})))

    def __hash__(self):
        return id(self)

    def seen(self, call, edited):
        if reads_text(call):
            self.log.append((call.k.clone(), call.forward.grid.text if call.site.kind == "joint" else 0))
        return []


@dataclass(frozen=True, kw_only=True)
class Texts(Observer):
    """Keeps where joint attentions and block outputs say that the prompt begins."""

    log: list
    where: Where = field(default_factory=lambda: Where(frozenset({"joint"})))

    def __hash__(self):
        return id(self)

    def seen(self, call, edited):
        self.log.append(call.forward.grid.text)
        return []

    def block_seen(self, call):
        self.log.append(call.forward.grid.text)
        return []


def keys(tiny, model, positive):
    watching = Keys(log=[])
    sample(tiny, attach(model, watching), steps=1, cfg=1.0, positive=positive)
    return watching.log[0]


@pytest.mark.parametrize("name", READING)
def test_the_prompt_begins_where_the_grid_says(name):
    tiny = NETWORKS[name]
    model, plain, changed = tiny.load(), conditioning(tiny, 1), conditioning(tiny, 1)
    changed[0][0] = changed[0][0].clone()
    changed[0][0][:, ROW] = torch.randn(tiny.text_width, generator=torch.Generator().manual_seed(9)) * 3
    (before, first), (after, _) = keys(tiny, model, plain), keys(tiny, model, changed)
    assert int((after - before).square().sum((0, 1, 3)).argmax()) == first + ROW


@pytest.mark.parametrize("name", READING)
def test_all_grids_of_a_forward_say_the_same(name):
    watching = Texts(log=[])
    sample(NETWORKS[name], attach(NETWORKS[name].load(), watching), steps=1)
    assert len(set(watching.log)) <= 1
