// Draws key prompts: what each latent frame reads, and where each prompt is placed.
import { grid } from './axis.js'
import { html, svg } from './dom.js'
import { pixelOfLatent } from './key_places.js'
import { writtenPlace } from './key_prompts_text.js'

export const LANE = 30 // the height above the prompts in which their places are
const KEY_Y = 22
const SHADES = ['even', 'odd']

/** The pixel of a place in latent frames: the middle of a latent frame is the middle of what it holds. */
export const keyX = (span, latent) => span.x(pixelOfLatent(latent, span.clip) + (latent ? 0.5 : 0))

/** The place in latent frames at a pixel. */
export function latentAt(span, x) {
  const { clip } = span
  const middle = (clip.compression + 1) / 2
  const pixel = span.frame(x) - 0.5
  const latent = pixel < middle ? pixel / middle : 1 + (pixel - middle) / clip.compression
  return Math.min(clip.latentFrames - 1, Math.max(0, latent))
}

/** The prompt that most of a pixel's latent frame is. */
export function promptAt(read, span, x) {
  const { first, share } = read[span.clip.latent(Math.max(0, span.frame(x)))]
  return share > 0.5 ? first + 1 : first
}

/** Everything on the stage. */
export function keyPrompts({ prompts, read }, span, height, chosen) {
  const bottom = height - 4
  return [
    ...read.flatMap(({ first, share }, latent) => [cell(first, 1 - share, latent, span, bottom), cell(first + 1, share, latent, span, bottom)]),
    grid(span, LANE, bottom),
    ...prompts.flatMap((prompt, i) => segment(prompt, i, { prompts, read }, span, bottom, i === chosen)),
    ...prompts.map((prompt, i) => key(prompt, span, bottom, i === chosen))
  ]
}

function cell(prompt, share, latent, span, bottom) {
  if (share <= 0) return ''
  const [left, right] = [span.x(span.clip.start(latent)), span.x(span.clip.start(latent + 1) || 1)]
  const size = { x: left, y: LANE, width: right - left, height: bottom - LANE }
  return svg('rect', { class: `segment ${SHADES[prompt % 2]}`, ...size, opacity: share })
}

/** The words of a prompt over the latent frames that mostly read it, with a frame if it is chosen. */
function segment({ text }, i, { read }, span, bottom, chosen) {
  const own = read.flatMap(({ first, share }, latent) => ((share > 0.5 ? first + 1 : first) === i ? [latent] : []))
  if (!own.length) return []
  const { clip } = span
  const [left, right] = [span.x(clip.start(own[0])), span.x(clip.start(own.at(-1) + 1) || 1)]
  const size = { x: left + 1, y: LANE + 1, width: right - left - 2, height: bottom - LANE - 2 }
  const words = html('div', { class: 'words', title: text }, text)
  return [svg('foreignObject', size, words), ...(chosen ? [svg('rect', { class: 'frame', ...size })] : [])]
}

function key({ at, place }, span, bottom, chosen) {
  const x = keyX(span, at)
  const end = x > span.right - 24 ? 'end' : x < span.left + 24 ? 'start' : 'middle'
  const label = svg('text', { class: `faint ${end}`, x, y: 11 }, place ? writtenPlace(place) : 'even')
  const diamond = svg('path', { class: chosen ? 'key chosen' : 'key', d: `M${x - 6} ${KEY_Y}L${x} ${KEY_Y - 7}L${x + 6} ${KEY_Y}L${x} ${KEY_Y + 7}Z` })
  return svg('g', {}, label, svg('path', { class: 'stem', d: `M${x} ${KEY_Y + 7}V${bottom}` }), diamond)
}
