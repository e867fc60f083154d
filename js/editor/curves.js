// Curves through points, and the masks over latent frames they become, as py/prompts/curves.py makes them.

/** The value at a video frame. `places` are those of the points, in video frames; without points it is 1 throughout. */
export function valueAt(frame, points, places, interpolation) {
  if (!points.length) return 1
  const after = places.findIndex((place) => place > frame)
  const i = (after < 0 ? places.length : after) - 1
  if (i < 0 || i === points.length - 1) return points[Math.max(i, 0)].value
  const t = (frame - places[i]) / (places[i + 1] - places[i])
  const share = { hold: 0, linear: t, smooth: t * t * (3 - 2 * t) }[interpolation]
  return points[i].value + (points[i + 1].value - points[i].value) * share
}

/** The value at every video frame of a clip. */
export const curve = (points, places, interpolation, clip) =>
  Array.from({ length: clip.frames }, (_, frame) => valueAt(frame, points, places, interpolation))

/** The mean of a curve over the video frames of each latent frame. */
export function mask(values, clip) {
  return Array.from({ length: clip.latentFrames }, (_, latent) => {
    const held = values.slice(clip.start(latent), clip.start(latent + 1))
    return held.reduce((sum, value) => sum + value, 0) / held.length
  })
}
