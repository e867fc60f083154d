"""A curve through points, frame by frame and naive, in exact fractions as far as they go."""

from fractions import Fraction


def places(points, fps, frames):
    """[(place in frames, value)] of points [place, unit, value]; places to a millionth of a frame."""
    scale = {"": Fraction(1), "s": Fraction(str(fps)), "%": Fraction(frames - 1, 100)}
    exact = [(Fraction(str(place)) * scale[unit], Fraction(str(value))) for place, unit, value in points]
    return [(Fraction(int(place * 10**6 + Fraction(1, 2)), 10**6), value) for place, value in exact]


def value_at(points, interpolation, frame):
    """The value of a curve at one frame."""
    if not points:
        return Fraction(1)
    before = [point for point in points if point[0] <= frame]
    after = [point for point in points if point[0] > frame]
    if not before or not after:
        return (before[-1] if before else after[0])[1]
    (start, low), (stop, high) = before[-1], after[0]
    t = (frame - start) / (stop - start)
    share = {"hold": 0, "linear": t, "smooth": 3 * t**2 - 2 * t**3}[interpolation]
    return low + (high - low) * share


def naive_curve(points, interpolation, fps, latent_frames, compression):
    """(values at video frames, means over the video frames of each latent frame)."""
    frames = 1 + (latent_frames - 1) * compression
    curve = [value_at(places(points, fps, frames), interpolation, frame) for frame in range(frames)]
    parts = [curve[:1]] + [curve[1 + i * compression : 1 + (i + 1) * compression] for i in range(latent_frames - 1)]
    return [float(value) for value in curve], [float(sum(part) / len(part)) for part in parts]
