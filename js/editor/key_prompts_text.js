// The grammar of py/prompts/key_prompts.py, with the place of everything in the text. tests/key_prompt_vectors.json holds both
// to the same readings and the same lines of errors.
import { linesOf, SPACE, stripped, TextError } from './text.js'

export const UNITS = { f: 'frame', s: 'seconds', '%': 'percent' }

const BREAK = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g
const NUMBER = '[-+]?(?:[0-9]{1,9}(?:\\.[0-9]{0,9})?|\\.[0-9]{1,9})'
const PLACED = new RegExp(
  `^(?:(?<f>[fF])${SPACE}*(?<frame>${NUMBER})|(?<value>${NUMBER})${SPACE}*(?<unit>[sS%]))${SPACE}*:(?<text>.*)$`,
  'ds'
)
const LOOKS_PLACED = new RegExp(
  `^(?:f|frames?)?${SPACE}*[-+]?\\.?[0-9][0-9.,:–-]*${SPACE}*(?:seconds?|secs?|percent|frames?|[sf%])?${SPACE}*:(?:${SPACE}|$)`,
  'iu'
)
const EXAMPLES = '0s:, 50%: or f8:'

/**
 * The key prompts of a text: { text, place, row, start, content, textStart }, where place is null ("evenly spread") or
 * { value, unit, written, start, end }: `written` is the number as it stands from `start` to `end` of the whole text.
 * Throws TextError, with the row, as the Python side does.
 */
export function parseKeyPrompts(text) {
  const prompts = linesOf(text, BREAK)
    .filter(({ content }) => stripped(content))
    .map(readLine)
  if (!prompts.length) throw new TextError('Expected key prompts, one per line, but got none. Write at least one.')
  prompts.slice(1).forEach((prompt, i) => checkOrder(prompts[i], prompt))
  return prompts
}

/** A prompt as it has to stand on a line of its own, or after its place. */
export const writtenText = (text, placed) => (!placed && startsLikeAPlace(text.replace(/^\\+/, '')) ? `\\${text}` : text)

/** A place as Python writes it. */
export const writtenPlace = ({ value, unit }) => (unit === 'frame' ? `f${value}` : `${value}${unit === 'percent' ? '%' : 's'}`)

function readLine({ row, start, content }) {
  const line = stripped(content)
  const textStart = start + content.indexOf(line)
  const found = PLACED.exec(line)
  const common = { row, start, content }
  if (!found) return { ...common, ...unplaced(line, common, textStart), place: null }
  const { groups, indices } = found
  const [from, to] = indices.groups[groups.f ? 'frame' : 'value']
  const written = groups.frame ?? groups.value
  const place = { value: Number(written), unit: UNITS[(groups.f ?? groups.unit).toLowerCase()], written }
  checkPlace(place, common)
  const text = stripped(groups.text)
  if (!text) fail(`a prompt after the place in line ${row}`, 'nothing', 'Write it, or remove the line.', common)
  const at = indices.groups.text[0] + groups.text.indexOf(text)
  return { ...common, text, textStart: textStart + at, place: { ...place, start: textStart + from, end: textStart + to } }
}

function unplaced(line, common, textStart) {
  if (LOOKS_PLACED.test(line)) {
    const action = 'Fix the place, or put a backslash in front if the number belongs to the prompt.'
    fail(`a place such as ${EXAMPLES}`, `line ${common.row}: '${line}'`, action, common)
  }
  const escaped = line.startsWith('\\') && startsLikeAPlace(line.replace(/^\\+/, ''))
  return { text: escaped ? line.slice(1) : line, textStart }
}

function checkPlace({ value, unit }, line) {
  if (value >= 0 && !(unit === 'percent' && value > 100)) return
  const bounds = unit === 'percent' ? 'from 0 to 100 percent' : `of at least 0 (${unit})`
  fail(`a place ${bounds}`, `${value} in line ${line.row}`, 'Fix the number.', line)
}

function checkOrder(before, prompt) {
  const [one, other, row] = [before.place, prompt.place, prompt.row]
  if ((one === null) !== (other === null)) {
    const came = `line ${row} with${other ? '' : 'out'} one, unlike the one before`
    fail('a place before every key prompt or none', came, `Write places as ${EXAMPLES}.`, prompt)
  }
  if (one && one.unit !== other.unit) {
    const action = 'Use frames, seconds or percents throughout.'
    fail('one unit for all places', `line ${row} in ${other.unit} after ${one.unit}`, action, prompt)
  }
  if (one && other.value <= one.value) {
    const came = `line ${row} at ${writtenPlace(other)} after ${writtenPlace(one)}`
    fail('places that increase from line to line', came, 'Sort the lines; use each place once.', prompt)
  }
}

const startsLikeAPlace = (text) => PLACED.test(text) || LOOKS_PLACED.test(text)

function fail(expected, came, action, line) {
  throw new TextError(`Expected ${expected}, but got ${came}. ${action}`, line)
}
