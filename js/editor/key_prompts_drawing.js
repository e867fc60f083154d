// Draws key prompts: what each latent frame reads, and where each prompt is placed.
import { grid } from './axis.js'
import { html, svg } from './dom.js'
import { latentOfPixel, pixelOfLatent } from './key_places.js'
import { writtenPlace } from './key_prompts_text.js'

export const LANE = 30 // the height above the prompts in which their places are
const KEY_Y = 22
const SHADES = ['even', 'odd']
const WORDS = 60 // pixels that words need; a narrower prompt shows its number
const LABEL = 34 // pixels that the label of a place needs

/** The pixel of a place in latent frames: the middle of a latent frame is the middle of what it holds. */
export const keyX = (span, latent) => span.x(pixelOfLatent(latent, span.clip) + (latent ? 0.5 : 0))

/** The place in latent frames at a pixel. */
export function latentAt(span, x) {
  const latent = latentOfPixel(span.frame(x) - 0.5, span.clip)
  return Math.min(span.clip.latentFrames - 1, Math.max(0, latent))
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
    ...read.flatMap((mixture, latent) => cells(mixture, latent, span, bottom)),
    grid(span, LANE, bottom),
    ...prompts.flatMap((prompt, i) => segment(prompt, i, { prompts, read }, span, bottom, i === chosen)),
    ...prompts.map((prompt, i) => key(prompt, span, bottom, i === chosen)),
    ...labels(prompts, span, chosen)
  ]
}

/** Where prompts are placed, in words; left out where they would overlap, but not that of the chosen one. */
function labels(prompts, span, chosen) {
  const xs = prompts.map(({ at }) => keyX(span, at))
  let last = -Infinity
  return prompts.flatMap(({ place }, i) => {
    const free = i === chosen || (xs[i] - last >= LABEL && !(Math.abs(xs[i] - xs[chosen]) < LABEL))
    if (!free) return []
    last = xs[i]
    const side = xs[i] > span.right - 24 ? 'end' : xs[i] < span.left + 24 ? 'start' : 'middle'
    return svg('text', { class: `faint ${side}`, x: xs[i], y: 11 }, place ? writtenPlace(place) : 'even')
  })
}

/** A latent frame in the shades of the one or two prompts that it reads. */
function cells({ first, share }, latent, span, bottom) {
  const [left, right] = [span.x(span.clip.start(latent)), span.x(span.clip.start(latent + 1))]
  const size = { x: left, y: LANE, width: right - left, height: bottom - LANE }
  const shares = [1 - share, share]
  const shade = (part, k) => svg('rect', { class: `segment ${SHADES[(first + k) % 2]}`, ...size, opacity: part })
  return shares.flatMap((part, k) => (part > 0 ? shade(part, k) : []))
}

/** The words of a prompt over the latent frames that mostly read it, with a frame if it is chosen. */
function segment({ text }, i, { read }, span, bottom, chosen) {
  const own = read.flatMap(({ first, share }, latent) => ((share > 0.5 ? first + 1 : first) === i ? [latent] : []))
  if (!own.length) return []
  const { clip } = span
  const [left, right] = [span.x(clip.start(own[0])), span.x(clip.start(own.at(-1) + 1))]
  const size = { x: left + 1, y: LANE + 1, width: right - left - 2, height: bottom - LANE - 2 }
  const wide = size.width >= WORDS
  const words = html('div', { class: wide ? 'words' : 'words number', title: `${i + 1}: ${text}` }, wide ? text : `${i + 1}`)
  return [svg('foreignObject', size, words), ...(chosen ? [svg('rect', { class: 'frame', ...size })] : [])]
}

function key({ at }, span, bottom, chosen) {
  const x = keyX(span, at)
  const shape = `M${x - 6} ${KEY_Y}L${x} ${KEY_Y - 7}L${x + 6} ${KEY_Y}L${x} ${KEY_Y + 7}Z`
  const stem = svg('path', { class: 'stem', d: `M${x} ${KEY_Y + 7}V${bottom}` })
  return svg('g', {}, stem, svg('path', { class: chosen ? 'key chosen' : 'key', d: shape }))
}
