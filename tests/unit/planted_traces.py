"""Hand-made traces for the tension study: several videos, with an effect planted in the treated run or none."""

import numpy as np
from events import COND

from pack.py.core.events import Site, Step
from pack.py.core.trace import Record, Trace


def density_spectrum(a):
    """[H, F, F] -> [H, F] eigenvalues of A A^T / tr(A A^T), rising."""
    rho = a @ a.swapaxes(-1, -2)
    return np.maximum(np.linalg.eigvalsh(rho / np.trace(rho, axis1=-2, axis2=-1)[:, None, None]), 0)


def pattern(scores, gain=1.0):
    """softmax of gain * scores."""
    e = np.exp(gain * (scores - scores.max(-1, keepdims=True)))
    return e / e.sum(-1, keepdims=True)


def tension_parts(a):
    """(h_row [H], spectrum [H, F]) of patterns [H, F, F]."""
    h_row = -(a * np.log(a)).sum(-1).mean(-1) / np.log(a.shape[-1])
    return h_row, density_spectrum(a)


def values(scores, tau, per_head=False):
    """What the recorder keeps of a call; with tau, what STH made of it beside, of the call or of each head."""
    a = pattern(scores)
    h_row, spectrum = tension_parts(a)
    kept = {"h_row": h_row, "spectrum": spectrum, "frames": a.mean(0)}
    if tau:
        h_vn = -(spectrum * np.log(np.maximum(spectrum, 1e-30))).sum(-1) / np.log(a.shape[-1])
        tension = h_row - h_vn if per_head else (h_row - h_vn).mean(keepdims=True)
        gamma = np.exp(tau * tension)
        after = pattern(scores, gamma[:, None, None])
        h_row, spectrum = tension_parts(after)
        kept |= {"after.h_row": h_row, "after.spectrum": spectrum, "after.frames": after.mean(0)}
        kept |= {"gamma": gamma if per_head else gamma[0], "tau_eff": np.array(tau)}
    return {name: np.asarray(value, np.float32) for name, value in kept.items()}


def run(seed, tau=0.0, noise=0.0, blocks=4, steps=5, frames=6, heads=3, samples=1, branches=(COND,), per_head=False):
    """A trace whose scores depend on the seed; `noise` moves them at random (that of another trajectory)."""
    records = []
    for block in range(blocks):
        for step in range(steps):
            for branch in branches:
                for sample in range(samples):
                    random = np.random.default_rng([seed, block, step, sample, branches.index(branch)])
                    sharpness = 0.5 + 3 * random.random()
                    scores = sharpness * random.standard_normal((heads, frames, frames)) + 2 * np.eye(frames)
                    if noise:
                        other = np.random.default_rng([seed, block, step, sample, branches.index(branch), int(1e6 * noise)])
                        scores = scores * np.exp(noise * other.standard_normal()) + noise * other.standard_normal(scores.shape)
                    when = Step(step, steps, 1 - step / steps, step / steps, 1 - step / steps)
                    tau_eff = tau * (block + 1) / blocks * (1 - step / steps)
                    records.append(
                        Record(when, Site(block, blocks, "self"), branch, sample, None, values(scores, tau_eff, per_head))
                    )
    return Trace("Tiny", blocks, records)
