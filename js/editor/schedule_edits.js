// Edits of a schedule's text, each text -> text. What an edit is not about stays as it was written: comments, empty lines,
// the order of lines, quotes, spaces, the units of places. Lines and points are counted from 0; comment lines do not count.
import { number, parseSchedule, writtenPhrase } from './schedule_text.js'
import { spliced, withLine, withoutLine } from './text.js'

/** Gives a point another place, a number in its own unit, and another value; undefined leaves it. */
export function setPoint(text, i, j, { place, value }) {
  const point = parseSchedule(text)[i].points[j]
  const changed = value === undefined || value === point.value ? text : spliced(text, point.valueStart, point.end, number(value))
  return place === undefined || place === point.place ? changed : spliced(changed, point.start, point.placeEnd, number(place))
}

/** Writes a point before point `j` of a line, or behind its last one. */
export function addPoint(text, i, j, { place, unit, value }) {
  const { points, head, bracket } = parseSchedule(text)[i]
  const written = `${number(place)}${unit}=${number(value)}`
  if (!points.length) return spliced(text, ...at(bracket ? bracket[1] : head), `: ${written}`)
  return j < points.length
    ? spliced(text, ...at(points[j].start), `${written}, `)
    : spliced(text, ...at(points.at(-1).end), `, ${written}`)
}

/** Removes a point; a line that loses its last one is wanted throughout, so its interpolation goes too. */
export function removePoint(text, i, j) {
  const { points, head } = parseSchedule(text)[i]
  if (points.length === 1) return spliced(text, head, points[0].end, '')
  return j ? spliced(text, points[j - 1].end, points[j].end, '') : spliced(text, points[0].start, points[1].start, '')
}

/** Makes a line say how it gets from point to point, or with null leave that to the node's own setting. */
export function setInterpolation(text, i, name) {
  const { points, head, bracket } = parseSchedule(text)[i]
  if (!points.length) return text
  const [start, end] = bracket ?? [head, head]
  if (name) return spliced(text, start, end, bracket ? `[${name}]` : ` [${name}]`)
  return bracket ? spliced(text, head, end, '') : text
}

/** Gives line `i` the points and the interpolation of a line of another text. */
export function setCurve(text, i, other, k = 0) {
  const [{ points, head, bracket }, source] = [parseSchedule(text)[i], parseSchedule(other)[k]]
  const end = points.length ? points.at(-1).end : (bracket?.[1] ?? head)
  const option = source.interpolation ? ` [${source.interpolation}]` : ''
  const written = source.points.map(({ place, unit, value }) => `${number(place)}${unit}=${number(value)}`).join(', ')
  return spliced(text, head, end, option + (written && `: ${written}`))
}

/** Adds a phrase that is wanted throughout. */
export const addLine = (text, phrase) => withLine(text, writtenPhrase(phrase))

/** Removes a phrase with its points and the comment on its line. */
export const removeLine = (text, i) => withoutLine(text, parseSchedule(text)[i])

const at = (place) => [place, place]
