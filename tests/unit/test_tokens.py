"""Where the video is: in sequences with text before or after it, in block outputs of every form, and in folded batches."""

import pytest
import torch

from pack.py.core.events import Grid
from pack.py.host.fold import NOTHING, Fold
from pack.py.host.tokens import axes, first_of, foretold, sequence, video_first, video_last

GRID = Grid(frames=3, height=2, width=5, tokens=30)


@pytest.mark.parametrize("place, start", [(video_first, 0), (video_last, 7)])
def test_text_stands_on_the_other_side(place, start):
    placed = place(GRID, 37)
    assert (placed.tokens, placed.start, placed.spatial) == (37, start, 10)
    assert place(GRID, 29) is None


def test_a_foretold_sequence_has_exactly_its_length():
    assert foretold(GRID, 30) is GRID and foretold(GRID, 31) is None


@pytest.mark.parametrize(
    "output, out, video",
    [
        (sequence(foretold), torch.randn(2, 30, 4), lambda out: out),
        (sequence(video_last), torch.randn(2, 36, 4), lambda out: out[:, 6:]),
        (sequence(video_first), torch.randn(2, 36, 4), lambda out: out[:, :30]),
        (axes("t h w b c"), torch.randn(3, 2, 5, 2, 4), lambda out: out.permute(3, 0, 1, 2, 4).reshape(2, 30, 4)),
        (axes("b t h w c"), torch.randn(2, 3, 2, 5, 4), lambda out: out.reshape(2, 30, 4)),
    ],
)
def test_what_is_written_is_read_again_and_nothing_else_changes(output, out, video):
    before, new = out.clone(), torch.randn(2, 30, 4)
    assert torch.equal(output.read(out, GRID), video(out))
    written = output.write(out, GRID, new)
    assert written.shape == out.shape and torch.equal(output.read(written, GRID), new)
    assert torch.equal(output.write(written, GRID, video(before)), before) and torch.equal(out, before)


def test_the_rest_of_a_tuple_is_left_alone():
    out, text = torch.randn(2, 30, 4), torch.randn(2, 7, 4)
    output = first_of(sequence(foretold))
    written = output.write((out, text), GRID, out + 1)
    assert torch.equal(written[0], out + 1) and written[1] is text


@pytest.mark.parametrize(
    "output, out", [(sequence(foretold), torch.zeros(2, 31, 4)), (axes("t h w b c"), torch.zeros(3, 5, 2, 2, 4))]
)
def test_an_output_of_another_layout_is_not_read(output, out):
    assert output.read(out, GRID) is None


@pytest.mark.parametrize("kind, shape", [("temporal", (2 * 10, 4, 3, 6)), ("spatial", (2 * 3, 4, 10, 6))])
def test_folding_is_undone_and_done_again(kind, shape):
    fold, x = Fold.of(kind, GRID), torch.randn(shape)
    assert fold.fits(shape[0], shape[2], rows=2) and not fold.fits(shape[0], shape[2], rows=1)
    assert fold.tokens(shape[2]) == 30
    opened = fold.open(x)
    assert opened.shape == (2, 4, 30, 6) and torch.equal(fold.close(opened), x)
    frame, position = 1, 7
    entry, token = (10 + position, frame) if kind == "temporal" else (3 + frame, position)
    assert torch.equal(opened[1, :, frame * 10 + position], x[entry, :, token])


@pytest.mark.parametrize("kind, own, others", [("temporal", 3, 10), ("spatial", 10, 3)])
def test_a_mask_is_unfolded_as_queries_are(kind, own, others):
    fold, mask = Fold.of(kind, GRID), torch.randn(2 * others, 4, own, own)
    bias = fold.open_mask(mask)
    assert bias.shape == (2, 4, 30, own) and torch.equal(fold.close_mask(bias, rows=2), mask)
    assert torch.equal(fold.open_mask(mask[:, :, :1]), fold.open(mask[:, :, :1].expand(-1, -1, own, -1)))
    shared = fold.open_mask(mask[:1])
    assert shared.shape == (1, 4, 30, own)
    assert torch.equal(fold.close_mask(shared, rows=2), mask[:1].expand(2 * others, -1, -1, -1))


def test_a_mask_of_keys_that_all_entries_share_is_left_alone():
    fold, mask = Fold.of("temporal", GRID), torch.randn(1, 1, 1, 3)
    assert fold.open_mask(mask) is mask and fold.close_mask(mask, rows=2) is mask


def test_each_entry_gets_the_bias_of_its_row():
    bias = torch.randn(2, 1, 1, 3)
    closed = Fold.of("temporal", GRID).close_mask(bias, rows=2)
    assert torch.equal(closed, bias.repeat_interleave(10, 0).expand(20, 1, 3, 3))


def test_other_kinds_are_not_folded():
    x = torch.randn(2, 4, 30, 6)
    fold = Fold.of("joint", GRID)
    assert fold is NOTHING and fold.open(x) is x and fold.close(x) is x
    assert fold.open_mask(x) is x and fold.close_mask(x, rows=2) is x
    assert fold.fits(2, 99, rows=2) and not fold.fits(3, 99, rows=2) and fold.tokens(99) == 99
