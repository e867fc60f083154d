"""The attention calls of one video as columns: one number a call for everything that the tension study measures.

Temporal State Transport in Video Generation (Tang et al.), appendix A to M.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.trace import Record
from ..maths import transport
from . import correction

NAMES = ("T", "|T|", "H_row", "H_vN", "self-retention", "cross-frame mass", "effective rank", "Gini", "leading share")
NAMES += ("head spread", "balance")


@dataclass(frozen=True)
class Measured:
    """`values`: [n] numbers by name (NAMES); `spectrum`: [n, F] eigenvalues of rho in falling order, averaged over heads.

    T, entropies and spectra are averaged over heads. What needs the matrix itself is measured on A averaged over heads, as
    that is what a trace keeps. A context window with fewer frames than another ends its spectrum with NaN.
    """

    values: Mapping[str, np.ndarray]
    spectrum: np.ndarray

    def rows(self, chosen: np.ndarray) -> Measured:
        """Only the chosen calls."""
        return Measured({name: column[chosen] for name, column in self.values.items()}, self.spectrum[chosen])


@dataclass(frozen=True)
class Calls:
    """n calls: where each was, what A was before and after all edits, and what STH set (`correction.py`; NaN where nothing)."""

    keys: tuple[tuple, ...]
    block: np.ndarray
    depth: np.ndarray
    step: np.ndarray
    before: Measured
    after: Measured
    gamma: np.ndarray
    correction: np.ndarray
    directed: np.ndarray
    tau_eff: np.ndarray

    def rows(self, chosen: np.ndarray) -> Calls:
        """Only the chosen calls, in that order; `chosen` holds their numbers."""
        return Calls(
            tuple(self.keys[i] for i in chosen),
            *(column[chosen] for column in (self.block, self.depth, self.step)),
            *(measured.rows(chosen) for measured in (self.before, self.after)),
            *(column[chosen] for column in (self.gamma, self.correction, self.directed, self.tau_eff)),
        )


def calls_of(records: list[Record]) -> Calls:
    """The columns of records that all hold h_row, spectrum and frames."""
    return Calls(
        tuple(_keys(records)),
        np.array([r.site.block for r in records], int),
        np.array([r.site.depth for r in records], float),
        np.array([r.step.index for r in records], int),
        _measured(records, after=False),
        _measured(records, after=True),
        *(np.array([of(r) for r in records], float) for of in (correction.gamma, correction.size, correction.directed)),
        np.array([r.mean("tau_eff") for r in records], float),
    )


def _keys(records: list[Record]):
    """What identifies a call in another run of the same length: its site, step, branch and window, and which of equals it is."""
    seen: Counter = Counter()
    for r in records:
        key = (r.site, r.step.index, r.branch, r.frames)
        yield (*key, seen[key])
        seen[key] += 1


def _measured(records: list[Record], after: bool) -> Measured:
    parts = [[r.value(name, after) for name in ("h_row", "spectrum", "frames")] for r in records]
    groups: dict[tuple, list[int]] = {}
    for i, arrays in enumerate(parts):
        groups.setdefault(tuple(a.shape for a in arrays), []).append(i)
    widest = max((arrays[1].shape[-1] for arrays in parts), default=0)
    values = {name: np.full(len(records), np.nan) for name in NAMES}
    spectra = np.full((len(records), widest), np.nan)
    for rows in groups.values():
        stacks = (np.stack([parts[i][part] for i in rows]).astype(np.float64) for part in range(3))
        found, spectrum = _numbers(*stacks)
        spectra[rows, : spectrum.shape[-1]] = spectrum
        for name, column in found.items():
            values[name][rows] = column
    return Measured(values, spectra)


def _numbers(h_row: np.ndarray, spectrum: np.ndarray, a: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """[n, H], [n, H, F], [n, F, F] -> the columns of n calls, and [n, F]."""
    h_vn = transport.spectral_entropy(spectrum)
    tension = h_row - h_vn
    stays = transport.self_retention(a)
    mean = tension.mean(-1)
    columns = (mean, np.abs(mean), h_row.mean(-1), h_vn.mean(-1), stays, 1 - stays, transport.effective_rank(a))
    columns += (transport.gini(a), spectrum.max(-1).mean(-1), tension.std(-1), transport.future_past_balance(a))
    return dict(zip(NAMES, columns, strict=True)), np.sort(spectrum, axis=-1)[..., ::-1].mean(1)
