"""Figures kept for inspection, and whether a person can read them, by the renderer's own boxes."""

from pack.py.views import figure


def keep_figures(monkeypatch, *modules):
    """The list of every Figure that these modules draw from now on."""
    kept = []
    for module in modules:
        monkeypatch.setattr(module, "to_image", lambda drawing: kept.append(drawing) or figure.to_image(drawing))
    return kept


def texts(drawing):
    """(text, bounding box in pixels) of every text that is drawn: titles, labels, and the ticks inside their axes."""
    renderer = drawing.canvas.get_renderer()
    shown = [drawing._suptitle]
    for axes in drawing.axes:
        shown += [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            shown += [tick.label1 for tick in ticks if tick.label1.get_visible()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in shown if t.get_text().strip()]


def check_readable(drawing):
    """All text is inside the picture, and no two texts overlap."""
    width, height = drawing.canvas.get_width_height()
    found = [(text, box) for text, box in texts(drawing) if box.width > 0]
    for text, box in found:
        assert -0.5 <= box.x0 and box.x1 <= width + 0.5, f"{text!r} is clipped at a side"
        assert -0.5 <= box.y0 and box.y1 <= height + 0.5, f"{text!r} is clipped above or below"
    for i, (one, a) in enumerate(found):
        for other, b in found[i + 1 :]:
            assert not a.shrunk(0.95, 0.9).overlaps(b.shrunk(0.95, 0.9)), f"{one!r} overlaps {other!r}"
