// What the schedule editor shows and does, without a page: tracks of a text in a clip, and edits in video frames and values.
import { curve, mask } from './curves.js'
import { addPoint, setPoint } from './schedule_edits.js'
import { parseSchedule } from './schedule_text.js'

const FINE = 0.01
const COARSE = 0.05
const SAME = 0.01 // of a frame: short numbers may be read as a place just before their frame
const NEAR = 0.1 // how near to 0 and 1 the pointer gets there

/**
 * The tracks of a text: { line, phrase, points, places, interpolation, masks, problem }. `places` are in video frames,
 * `problem` says why a curve cannot be made in this clip.
 *
 * Throws TextError where the text cannot be read.
 */
export function tracksOf(text, { clip, interpolation }) {
  return parseSchedule(text).map((line) => {
    const places = line.points.map((point) => clip.frame(point))
    const problem = problemOf(line, places, clip)
    const way = line.interpolation ?? interpolation
    const masks = problem ? [] : mask(curve(line.points, places, way, clip), clip)
    return { line, phrase: line.phrase, points: line.points, places, interpolation: way, masks, problem }
  })
}

/** A point moved to a frame and a value, as near as its neighbours and the grid allow. Its unit stays. */
export function movedPoint(text, setting, i, j, { frame, value }, fine = false) {
  const { points, places } = tracksOf(text, setting)[i]
  const to = frame === undefined ? places[j] : freeFrame(frame, places[j - 1], places[j + 1], setting.clip, fine)
  const place = to === places[j] || to === null ? undefined : setting.clip.place(to, points[j].unit)
  return setPoint(text, i, j, { place, value: value === undefined ? undefined : snappedValue(value, fine) })
}

/** A value as the pointer means it: the ends, which are wanted most, draw it to them. */
export function pointedValue(value, fine) {
  if (fine) return value
  return value > 1 - NEAR ? 1 : value < NEAR ? 0 : value
}

/** A new point, in the unit of the points beside it: { text, point }, or null where there is no room. */
export function addedPoint(text, setting, i, { frame, value }, fine = false) {
  const tracks = tracksOf(text, setting)
  const { points, places } = tracks[i]
  const after = places.findIndex((place) => place > frame)
  const j = after < 0 ? places.length : after
  const to = freeFrame(frame, places[j - 1], places[j], setting.clip, fine)
  if (to === null) return null
  const unit = (points[j - 1] ?? points[j] ?? tracks.flatMap((track) => track.points)[0])?.unit ?? 's'
  const point = { place: setting.clip.place(to, unit), unit, value: snappedValue(value, fine) }
  return { text: addPoint(text, i, j, point), point: j }
}

/** The next place for a point that the keyboard moves: a latent frame on or back, or fine a video frame. */
export function steppedFrame(frame, by, clip, fine) {
  if (fine) return by > 0 ? Math.floor(frame + SAME) + 1 : Math.ceil(frame - SAME) - 1
  const [before, after] = [(border) => border < frame - SAME, (border) => border > frame + SAME]
  return (by > 0 ? clip.borders.find(after) : clip.borders.findLast(before)) ?? frame
}

/** How far the keyboard moves a value. */
export const valueStep = (fine) => (fine ? FINE : COARSE)

function snappedValue(value, fine) {
  const step = valueStep(fine)
  return Math.min(1, Math.max(0, Number((Math.round(value / step) * step).toFixed(2))))
}

/** The frame of the grid nearest to the wanted one that lies in the clip and between two places, or null if none does. */
function freeFrame(wanted, before = -1, after = Infinity, clip, fine) {
  const between = (frame) => frame > before + SAME && frame < after - SAME
  const borders = clip.borders.filter(between)
  const free = fine || !borders.length ? Array.from({ length: clip.frames }, (_, frame) => frame).filter(between) : borders
  return free.length ? free.reduce((best, frame) => (Math.abs(frame - wanted) < Math.abs(best - wanted) ? frame : best)) : null
}

function problemOf({ points }, places, clip) {
  const i = places.findIndex((place, k) => k > 0 && place <= places[k - 1])
  if (i < 0) return ''
  const [before, point] = [points[i - 1], points[i]]
  return `${point.text} does not come after ${before.text} in a clip of ${clip.frames} frames at ${clip.fps} fps.`
}
