// Edits of the text of key prompts, each text -> text. What an edit is not about stays as it was written: empty lines, other
// prompts, the spelling and the unit of places. Prompts are counted from 0.
import { parseKeyPrompts, writtenPlace, writtenText } from './key_prompts_text.js'
import { collapsed, spliced, withoutLine } from './text.js'

/** Gives the prompts of these numbers other places, numbers in their own unit. */
export function setPlaces(text, values) {
  const prompts = parseKeyPrompts(text)
  return Object.entries(values).reduceRight((so, [i, value]) => {
    const { place } = prompts[i]
    return value === place.value ? so : spliced(so, place.start, place.end, String(value))
  }, text)
}

/** Writes places before prompts that have none; `values` are one for each, in percent. */
export function placeAll(text, values) {
  return parseKeyPrompts(text).reduceRight((so, prompt, i) => {
    return spliced(so, prompt.textStart, prompt.start + prompt.content.length, `${values[i]}%: ${prompt.text}`)
  }, text)
}

/** Writes a prompt on a line behind prompt `i`, at a value in its unit if it has a place. */
export function addPrompt(text, i, words, value) {
  const prompt = parseKeyPrompts(text)[i]
  const end = prompt.start + prompt.content.length
  const [newline] = text.match(/\r\n|\r|\n/) ?? ['\n']
  const before = prompt.place ? `${writtenPlace({ ...prompt.place, value })}: ` : ''
  return spliced(text, end, end, newline + before + writtenText(collapsed(words), prompt.place))
}

/** Gives a prompt another text. */
export function setText(text, i, words) {
  const prompt = parseKeyPrompts(text)[i]
  const end = prompt.start + prompt.content.length
  return spliced(text, prompt.textStart, end, writtenText(collapsed(words), prompt.place))
}

/** Removes a prompt. */
export const removePrompt = (text, i) => withoutLine(text, parseKeyPrompts(text)[i])
