// What the editor of key prompts shows and does, without a page: where each prompt lies, and edits in latent frames.
import { Clip } from './clip.js'
import { keyPlaces, latentPlace, mixture, pastTheEnd, valueOf } from './key_places.js'
import { addPrompt, placeAll, removePrompt, setPlaces } from './key_prompts_edits.js'
import { parseKeyPrompts } from './key_prompts_text.js'

const GRID = { coarse: 1, fine: 0.25 }
// Two prompts keep at least this distance, in latent frames, so that rounding cannot make them one.
const APART = 0.25

/**
 * The prompts of a text and what each latent frame reads: { prompts: [{ text, place, at, late }], read: [{ first, share }] },
 * where `at` is the place in latent frames and `late` whether it was written past the end.
 *
 * Throws TextError where the text cannot be read.
 */
export function keysOf(text, { clip, transition }) {
  const prompts = parseKeyPrompts(text)
  const places = keyPlaces(prompts, clip)
  const read = Array.from({ length: clip.latentFrames }, (_, latent) => mixture(latent, places, transition))
  const late = ({ place }) => place !== null && pastTheEnd(place, clip)
  return { prompts: prompts.map((prompt, i) => ({ ...prompt, at: places[i], late: late(prompt) })), read }
}

/** A clip, or a longer one if prompts are placed past its end. */
export function clipFor(text, clip) {
  const scale = { seconds: clip.fps, frame: 1, percent: 0 }
  const needed = parseKeyPrompts(text).map(({ place }) => (place ? Math.ceil(place.value * scale[place.unit]) + 1 : 1))
  return Clip.of(Math.max(clip.frames, ...needed), clip.compression, clip.fps)
}

/** A prompt moved to a place in latent frames, as near as its neighbours allow. Prompts without places get percents first. */
export function movedPrompt(text, setting, i, latent, fine = false) {
  const { prompts } = keysOf(text, setting)
  if (prompts[0].place === null) return prompts.length < 2 ? text : movedPrompt(spread(text), setting, i, latent, fine)
  const { clip } = setting
  const grid = fine ? GRID.fine : GRID.coarse
  const [least, most] = [roomBefore(prompts, i), roomAfter(prompts, i, clip)]
  const to = Math.min(most, Math.max(least, Math.round(latent / grid) * grid))
  if (least > most || Math.abs(to - latentPlace(prompts[i].place, clip)) < 1e-9) return text
  return rising(text, setPlaces(text, { [i]: valueOf(to, prompts[i].place.unit, clip, grid / 8) }))
}

/** A copy of prompt `i` half-way to its neighbour, or without places just behind it: { text, prompt }, or null. */
export function addedPrompt(text, setting, i) {
  const { prompts } = keysOf(text, setting)
  const { clip } = setting
  const { text: words, place, at } = prompts[i]
  if (place === null) return { text: addPrompt(text, i, words), prompt: i + 1 }
  const next = prompts[i + 1]?.at ?? clip.latentFrames - 1
  const behind = next - at >= 2 * APART
  const [k, other] = behind ? [i, next] : [i - 1, prompts[i - 1]?.at]
  if (other === undefined) return null
  const changed = rising(text, addPrompt(text, k, words, valueOf((at + other) / 2, place.unit, clip)))
  return changed === text ? null : { text: changed, prompt: k + 1 }
}

/** The next place for a prompt that the keyboard moves. Its own may be a little off the grid, which keeps numbers short. */
export function steppedPlace(at, by, fine) {
  const grid = fine ? GRID.fine : GRID.coarse
  return by > 0 ? Math.floor(at / grid + 1.2) * grid : Math.ceil(at / grid - 1.2) * grid
}

/** Without prompt `i`; the only one stays. */
export const withoutPrompt = (text, i) => (parseKeyPrompts(text).length > 1 ? removePrompt(text, i) : text)

/** The text with places in percents before prompts that had none. */
export function spread(text) {
  const count = parseKeyPrompts(text).length
  const values = Array.from({ length: count }, (_, i) => Number(((100 * i) / Math.max(count - 1, 1)).toFixed(2)))
  return placeAll(text, values)
}

function roomBefore(prompts, i) {
  return i ? prompts[i - 1].at + APART : 0
}

function roomAfter(prompts, i, clip) {
  const next = prompts[i + 1]
  return Math.min(clip.latentFrames - 1, next ? latentPlace(next.place, clip) - APART : Infinity)
}

/** The new text if it can be read, else the old one: short numbers of neighbours may have become equal. */
function rising(text, changed) {
  try {
    parseKeyPrompts(changed)
    return changed
  } catch {
    return text
  }
}
