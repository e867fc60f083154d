// Draws the tracks of a schedule.
import { grid } from './axis.js'
import { valueAt } from './curves.js'
import { svg } from './dom.js'

const WANTED = 0.7 // above it a latent frame counts as wanted
const PAD = 8
const [LEAST, MOST] = [32, 110] // pixels of a row
const STEPS = 24 // of a smooth curve between two points

/** How high the rows of tracks are, and where a value lies in one. */
export class Rows {
  constructor(count, height) {
    const fitting = height / Math.max(count, 1)
    // Where not all fit, half of one is seen at the end: there is more.
    const some = Math.max(1, Math.floor(height / LEAST - 0.5)) + 0.5
    this.height = Math.floor(fitting < LEAST ? Math.max(LEAST, height / some) : Math.min(MOST, fitting))
    this.total = this.height * count
  }

  top(i) {
    return i * this.height
  }

  y(i, value) {
    return this.top(i) + PAD + (1 - value) * (this.height - 2 * PAD)
  }

  /** The row at a height of the drawing and the value there. */
  at(y) {
    const i = Math.floor(y / this.height)
    const value = 1 - (y - this.top(i) - PAD) / (this.height - 2 * PAD)
    return { i, value: Math.min(1, Math.max(0, value)) }
  }
}

/** The elements of one track; `chosen` is the number of the chosen point, -1 for the track alone, or undefined. */
export function track(track, i, rows, span, chosen) {
  const [top, middle] = [rows.top(i), rows.top(i) + rows.height / 2]
  const classes = chosen === undefined ? 'row' : 'row chosen'
  return svg(
    'g',
    {},
    svg('rect', { class: classes, x: 0, y: top, width: span.right + 12, height: rows.height }),
    svg('text', { class: 'label', x: 8, y: middle + 4 }, track.phrase),
    svg('rect', { class: 'plot', x: span.left, y: top + 3, width: span.right - span.left, height: rows.height - 6 }),
    grid(span, top + 3, top + rows.height - 3),
    ...curveOf(track, i, rows, span),
    ...track.points.map((point, j) => dot(point, track.places[j], i, j === chosen, rows, span))
  )
}

function curveOf(track, i, rows, span) {
  if (track.problem) return []
  const bars = (kept) => track.masks.map((value, latent) => (kept(value) ? bar(value, latent, i, rows, span) : '')).join('')
  const center = { x: (span.left + span.right) / 2, y: rows.top(i) + rows.height / 2 + 4 }
  return [
    svg('path', { class: 'wanted', d: bars((value) => value > WANTED) }),
    svg('path', { class: 'unwanted', d: bars((value) => value > 0 && value <= WANTED) }),
    svg('path', { class: 'curve', d: line(track, i, rows, span) }),
    track.points.length ? '' : svg('text', { class: 'faint middle', ...center }, 'throughout')
  ]
}

function bar(value, latent, i, rows, span) {
  const [left, right] = [span.x(span.clip.start(latent)), span.x(span.clip.start(latent + 1))]
  return `M${left} ${rows.y(i, 0)}V${rows.y(i, value)}H${right}V${rows.y(i, 0)}Z`
}

/** The curve itself, from the first frame to the end of the last. */
function line({ points, places, interpolation }, i, rows, span) {
  const at = (frame) => rows.y(i, valueAt(frame, points, places, interpolation))
  const last = span.clip.frames
  const corners = [0, ...places.filter((place) => place > 0 && place < last), last]
  const parts = corners.slice(1).map((end, k) => part(corners[k], end, interpolation, at, span))
  return `M${span.x(0)} ${at(0)}${parts.join('')}`
}

/** From one point to the next: straight, in steps, or level and then up or down. */
function part(start, end, interpolation, at, span) {
  if (interpolation === 'hold') return `H${span.x(end)}V${at(end)}`
  const count = interpolation === 'smooth' ? STEPS : 1
  const frames = Array.from({ length: count }, (_, step) => start + ((end - start) * (step + 1)) / count)
  return frames.map((frame) => `L${span.x(frame)} ${at(frame)}`).join('')
}

/** A point; one past the end of the clip is an arrow at its edge. */
function dot({ value, text }, place, i, chosen, rows, span) {
  const late = place > span.clip.frames - 1
  const [x, y] = [span.x(late ? span.clip.frames : place), rows.y(i, value)]
  const shape = chosen ? 'point chosen' : 'point'
  const drawn = late
    ? svg('path', { class: shape, d: `M${x - 2} ${y - 5}L${x + 6} ${y}L${x - 2} ${y + 5}Z` })
    : svg('circle', { class: shape, cx: x, cy: y, r: chosen ? 5.5 : 4.5 })
  return svg('g', {}, drawn)
}
