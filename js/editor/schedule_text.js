// The grammar of py/prompts/schedule.py, with the place of everything in the text, so that an edit can leave the rest alone.
// tests/schedule_vectors.json holds both to the same readings and to the same places of errors.
import { collapsed, linesOf, rounded, TextError } from './text.js'

export const INTERPOLATIONS = ['hold', 'linear', 'smooth']
export const UNITS = ['', 's', '%']

const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y
const BARE = /[^":,=[\]#]+/y
const NUMBER = /[0-9]{1,9}(?:\.[0-9]{1,6})?(?![0-9.])|\.[0-9]{1,6}(?![0-9.])/y
const NAME = /[\p{L}\p{Nl}\p{No}]+|%/uy
const SPACE = /[ \t]*/y
const SIGNS = { '[': /\[/y, ']': /\]/y, ':': /:/y, ',': /,/y, '=': /=/y }
const BREAK = /\r\n|\r|\n/g
const GRAMMAR = 'Write lines as phrase: place=value, place=value, with places such as 12 (video frame), 2s (seconds) or 50%.'

/**
 * The lines of a schedule: { phrase, interpolation, points, row, start, content, head, bracket }, where points are
 * { place, unit, value, text, start, end, placeEnd, valueStart }. Offsets count from the start of the text: `head` is the end
 * of the phrase, `bracket` the [start, end] of the interpolation or null. Throws TextError as the Python side does.
 */
export function parseSchedule(text) {
  const lines = []
  for (const { row, start, content } of linesOf(text, BREAK)) {
    const reader = new Reader(content, row, start)
    if (reader.ended()) continue
    const at = reader.at
    const line = { row, start, content, ...readLine(reader) }
    const same = (other) => other.phrase.toLowerCase() === line.phrase.toLowerCase()
    if (lines.some(same)) reader.fail('each phrase once', `'${line.phrase}' again`, 'Put all of its points on one line.', at)
    lines.push(line)
  }
  if (!lines.length) throw new TextError(`Expected a schedule, but got no phrase at all. ${GRAMMAR}`)
  return lines
}

/** A phrase as it has to be written. */
export function writtenPhrase(phrase) {
  const bare = new RegExp(`^${BARE.source}$`)
  return bare.test(phrase) ? phrase : `"${phrase.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** The one text of a line that tests/schedule_vectors.json holds it to. */
export function writtenLine({ phrase, interpolation, points }) {
  const option = interpolation ? ` [${interpolation}]` : ''
  const listed = points.map(({ place, unit, value }) => `${number(place)}${unit}=${number(value)}`).join(', ')
  return writtenPhrase(phrase) + option + (listed && `: ${listed}`)
}

/** At most six decimals, and none that are not needed. */
export const number = (value) => rounded(value, 6)

class Reader {
  constructor(content, row, start) {
    Object.assign(this, { content, row, start, at: 0, end: 0 })
    this.read(SPACE)
  }

  /** What matches here, if anything; it and the spaces after it are passed. `end` is where it ended in the whole text. */
  read(pattern) {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.content)
    if (!match) return null
    this.end = this.start + pattern.lastIndex
    SPACE.lastIndex = pattern.lastIndex
    SPACE.exec(this.content)
    this.at = SPACE.lastIndex
    return match
  }

  takes(sign) {
    return this.read(SIGNS[sign]) !== null
  }

  ended() {
    return this.at === this.content.length || this.content[this.at] === '#'
  }

  fail(expected, came = '', action = GRAMMAR, at = this.at) {
    const rest = this.content.slice(this.at).match(/^(?:[^\s,=:]+|.)/u)
    const column = [...this.content.slice(0, at)].length + 1
    const got = came || (rest ? `'${rest[0]}'` : 'the end of the line')
    const { row, content } = this
    const message = `Expected ${expected}, but got ${got} (line ${row}, column ${column}). ${action}`
    throw new TextError(message, { row, column, content })
  }
}

function readLine(reader) {
  const phrase = readPhrase(reader)
  const head = reader.end
  const from = reader.start + reader.at
  const interpolation = reader.takes('[') ? readInterpolation(reader) : null
  const bracket = interpolation && [from, reader.end]
  if (reader.ended() && !interpolation) return { phrase, head, interpolation, bracket, points: [] }
  if (!reader.takes(':')) reader.fail(`a colon after '${phrase}'`)
  return { phrase, head, interpolation, bracket, points: readPoints(reader) }
}

function readPhrase(reader) {
  const at = reader.at
  const quoted = reader.read(QUOTED)
  const found = quoted ? quoted[1].replace(/\\(.)/g, '$1') : (reader.read(BARE)?.[0] ?? '')
  const phrase = collapsed(found)
  if (!phrase) reader.fail('a phrase of the prompt', '', 'Put a phrase with : , = [ ] # or " in it into quotes.', at)
  if (!quoted) reader.end -= found.length - found.trimEnd().length
  return phrase
}

function readInterpolation(reader) {
  const at = reader.at
  const name = reader.read(NAME)?.[0] ?? ''
  if (!INTERPOLATIONS.includes(name)) {
    reader.fail(`an interpolation out of ${INTERPOLATIONS.join(', ')}`, name && `'${name}'`, 'Choose one of them.', at)
  }
  if (!reader.takes(']')) reader.fail('a closing bracket')
  return name
}

function readPoints(reader) {
  const points = []
  while (!points.length || reader.takes(',')) {
    const at = reader.at
    const point = readPoint(reader)
    const before = points.filter((other) => other.unit === point.unit).at(-1)
    if (before && point.place <= before.place) {
      reader.fail('places that increase from point to point', point.text, 'Reorder the points.', at)
    }
    points.push(point)
  }
  if (!reader.ended()) reader.fail('a comma or the end of the line')
  return points
}

function readPoint(reader) {
  const at = reader.at
  const place = readNumber(reader, 'a place such as 12, 2s or 50%')
  const placeEnd = reader.end
  const unitAt = reader.at
  const unit = reader.read(NAME)?.[0] ?? ''
  if (!UNITS.includes(unit)) reader.fail('the unit s or %, or none for video frames', `'${unit}'`, GRAMMAR, unitAt)
  if (unit === '%' && place > 100) reader.fail('a percentage from 0 to 100', `${place}`, GRAMMAR, at)
  if (!reader.takes('=')) reader.fail('= and a value')
  const valueAt = reader.at
  const value = readNumber(reader, 'a value from 0 to 1')
  if (value > 1) reader.fail('a value from 0 to 1', `${value}`, GRAMMAR, valueAt)
  const [start, valueStart] = [reader.start + at, reader.start + valueAt]
  return { place, unit, value, text: `${number(place)}${unit}=${number(value)}`, start, placeEnd, valueStart, end: reader.end }
}

function readNumber(reader, expected) {
  const found = reader.read(NUMBER)
  if (!found) reader.fail(expected)
  return Number(found[0])
}
