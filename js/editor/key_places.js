// Where key prompts lie among latent frames and what each frame reads, as py/prompts/key_places.py and py/maths/text_mixture.py do.

/** Places of prompts in latent frames, 0 to the last, as [number]; those past the end lie on the last. */
export function keyPlaces(prompts, clip) {
  const last = clip.latentFrames - 1
  if (prompts[0].place === null) return prompts.map((_, i) => (last * i) / Math.max(prompts.length - 1, 1))
  return prompts.map(({ place }) => Math.min(latentPlace(place, clip), last))
}

/** A place of the text in latent frames; it may lie past the last. */
export function latentPlace({ value, unit }, clip) {
  if (unit === 'percent') return ((clip.latentFrames - 1) * value) / 100
  return latentOfPixel(unit === 'seconds' ? value * clip.fps : value, clip)
}

/** Whether the place begins after the last video frame has ended. */
export function pastTheEnd({ value, unit }, clip) {
  return unit !== 'percent' && (unit === 'seconds' ? value * clip.fps : value) > clip.frames
}

/** A video frame in latent frames: it lies where it lies between the middles of what latent frames hold. */
export function latentOfPixel(pixel, clip) {
  const middle = firstMiddle(clip)
  return pixel < middle ? pixel / middle : 1 + (pixel - middle) / clip.compression
}

/** The video frame of a place in latent frames. */
export function pixelOfLatent(latent, clip) {
  const middle = firstMiddle(clip)
  return latent < 1 ? latent * middle : middle + (latent - 1) * clip.compression
}

/** The shortest value in a unit that is read as this place in latent frames, to within `tolerance` of one. */
export function valueOf(latent, unit, clip, tolerance = 1 / 8) {
  const wanted = exactValue(latent, unit, clip)
  for (let decimals = 0; decimals < 6; decimals++) {
    const value = Number(wanted.toFixed(decimals))
    if (Math.abs(latentPlace({ value, unit }, clip) - latent) <= tolerance + 1e-9) return value
  }
  return Number(wanted.toFixed(6))
}

/** What a latent frame reads: (1 - share) of prompt `first` and `share` of the next. */
export function mixture(position, places, transition) {
  const after = places.findIndex((place) => place > position)
  const first = (after < 0 ? places.length : after) - 1
  if (first < 0) return { first: 0, share: 0 }
  if (first === places.length - 1) return { first, share: 0 }
  const [start, end] = [places[first], places[first + 1]]
  const [middle, width] = [(start + end) / 2, transition * (end - start)]
  if (!width) return { first: first + (position >= middle ? 1 : 0), share: 0 }
  const share = (position - (middle - width / 2)) / width
  return share >= 1 ? { first: first + 1, share: 0 } : { first, share: Math.max(share, 0) }
}

function exactValue(latent, unit, clip) {
  if (unit === 'percent') return (100 * latent) / Math.max(clip.latentFrames - 1, 1)
  const pixel = pixelOfLatent(latent, clip)
  return unit === 'seconds' ? pixel / clip.fps : pixel
}

const firstMiddle = ({ compression }) => (compression + 1) / 2
