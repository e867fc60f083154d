// What both grammars share: the white space that Python knows, lines with their places, and the error of a line.

const SPACES = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const AROUND = new RegExp(`^[${SPACES}]+|[${SPACES}]+$`, 'g')

/** A character of Python's white space, to be put into a pattern. */
export const SPACE = `[${SPACES}]`

/** str.strip() of Python. */
export const stripped = (text) => text.replace(AROUND, '')

/** " ".join(text.split()) of Python. */
export const collapsed = (text) => stripped(text).split(new RegExp(`${SPACE}+`)).join(' ')

/** A text that cannot be read, and the line that is wrong: `row` and `column` are counted from 1, `column` in characters. */
export class TextError extends Error {
  constructor(message, { row = null, column = null, content = '' } = {}) {
    super(message)
    Object.assign(this, { row, column, content })
  }
}

/** A number with at most so many decimals, and none that are not needed. */
export const rounded = (value, decimals) => String(Number(value.toFixed(decimals)))

/** The lines of a text as { row, start, content }, broken at `pattern`, which has to be global. */
export function linesOf(text, pattern) {
  const lines = []
  let start = 0
  for (const found of text.matchAll(pattern)) {
    lines.push({ row: lines.length + 1, start, content: text.slice(start, found.index) })
    start = found.index + found[0].length
  }
  return [...lines, { row: lines.length + 1, start, content: text.slice(start) }]
}

/** The text with what stands from `start` to `end` replaced. */
export const spliced = (text, start, end, by) => text.slice(0, start) + by + text.slice(end)

/** The text with another line at its end, in the way its other lines end. */
export function withLine(text, line) {
  const [newline] = text.match(/\r\n|\r|\n/) ?? ['\n']
  const joint = text === '' || /[\r\n]$/.test(text) ? '' : newline
  return text + joint + line
}

/** The text without the line that begins at `start` and holds `content`, and without the line break that made it one. */
export function withoutLine(text, { start, content }) {
  const end = start + content.length
  const after = text.slice(end).match(/^(\r\n|[^])/)
  if (after) return spliced(text, start, end + after[0].length, '')
  const before = text.slice(0, start).match(/(\r\n|[^])$/)
  return text.slice(0, start - (before ? before[0].length : 0))
}
