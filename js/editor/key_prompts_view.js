// The editor of key prompts: which text each latent frame reads, and the places of the prompts to be dragged.
import { axis, AXIS_HEIGHT, Span } from './axis.js'
import { keyPrompts, keyX, LANE, latentAt, promptAt } from './key_prompts_drawing.js'
import { pixelOfLatent } from './key_places.js'
import { setText } from './key_prompts_edits.js'
import { addedPrompt, clipFor, keysOf, movedPrompt, steppedPlace, withoutPrompt } from './key_prompts_model.js'
import { writtenPlace } from './key_prompts_text.js'
import { tool } from './panel.js'
import { rounded } from './text.js'
import { View } from './view.js'

const REACH = 10 // pixels around a place that count as it
const LEFT = 78
const LEAST = 84
const HELP =
  'Drag a diamond: move a prompt. Double click: change its words. Shift: finer. Keys: Tab, arrows, Enter, +, Delete.'

export class KeyPromptsView extends View {
  static NAME = 'key_prompts'
  static WATCHED = ['fps', 'transition', 'key_prompts']
  static HEIGHT = 200

  constructor(port) {
    super(port, { label: 'Timeline of the key prompts', help: HELP, height: KeyPromptsView.HEIGHT })
    this.panel.picture.addEventListener('dblclick', () => this.reword())
  }

  tools() {
    this.adds = tool('+ Prompt', 'Add a copy of the chosen prompt after it, to be reworded', () => this.insert())
    this.rewords = tool('Reword', 'Change the words of the chosen prompt', () => this.reword())
    this.removes = tool('Remove', 'Remove the chosen prompt', () => this.remove())
    return [this.adds, this.rewords, this.removes]
  }

  reset() {
    this.keysFound = { prompts: [], read: [] }
  }

  setting() {
    const { clip, known } = this.port.foundClip()
    const transition = this.port.value('transition')
    return { clip: known ? clip : clipFor(this.text, clip), known, transition }
  }

  draw(setting) {
    const { clip, known } = setting
    this.panel.clip.textContent = clip.said(known ? '' : ' assumed')
    this.panel.clip.title = known ? '' : 'No node that sets a length is connected to this one yet.'
    this.keysFound = keysOf(this.text, setting)
    const { width, height } = this.panel.size
    this.span = new Span(width, LEFT, clip)
    const tall = Math.max(LEAST, height)
    this.panel.show(keyPrompts(this.keysFound, this.span, tall, this.chosen?.i), axis(this.span), tall, AXIS_HEIGHT)
  }

  update(editable) {
    const { prompts } = this.keysFound
    const chosen = editable && prompts[this.chosen?.i]
    this.adds.disabled = !editable
    this.rewords.disabled = !chosen
    this.removes.disabled = !chosen || prompts.length < 2
    const late = prompts.filter((prompt) => prompt.late).map(({ place }) => writtenPlace(place))
    const past = late.length ? `Past the end of the video and moved to its last latent frame: ${late.join(', ')}.` : ''
    this.panel.say(past || this.said(), Boolean(past))
  }

  /** The chosen prompt in words. */
  said() {
    const prompt = this.keysFound.prompts[this.chosen?.i]
    if (!prompt) return ''
    const where = prompt.place ? `at ${writtenPlace(prompt.place)}` : 'evenly spread'
    const frame = rounded(pixelOfLatent(prompt.at, this.read.clip), 1)
    const latent = rounded(prompt.at, 2)
    return `Prompt ${this.chosen.i + 1}, ${where} (latent frame ${latent}, video frame ${frame}): ${prompt.text}`
  }

  // What the pointer does.

  /** The prompt whose place is under the pointer, or -1. */
  placeAt({ x, y }) {
    const far = this.keysFound.prompts.map(({ at }) => Math.abs(keyX(this.span, at) - x))
    const nearest = far.indexOf(Math.min(...far))
    return y < LANE + 2 && far[nearest] <= REACH ? nearest : -1
  }

  press(at) {
    const i = this.placeAt(at)
    this.taken = i >= 0
    const inside = at.y >= LANE && at.x >= this.span.left
    this.chosen = i >= 0 ? { i, j: -1 } : inside ? { i: promptAt(this.keysFound.read, this.span, at.x), j: -1 } : null
  }

  dragged(text, from, at, fine) {
    if (!this.taken || Math.abs(at.x - from.x) < 3) return text
    return movedPrompt(text, this.read, this.chosen.i, latentAt(this.span, at.x), fine)
  }

  menu(at) {
    const i = this.placeAt(at)
    if (i < 0) return
    this.chosen = { i, j: -1 }
    this.remove()
  }

  // What the keyboard does.

  keys = {
    ArrowLeft: (fine) => this.step(-1, fine),
    ArrowRight: (fine) => this.step(1, fine),
    // The dialog takes the release of the key for a yes.
    Enter: () => this.panel.picture.addEventListener('keyup', () => this.reword(), { once: true }),
    Insert: () => this.insert(),
    '+': () => this.insert(), // there is no Insert on many keyboards
    Delete: () => this.remove(),
    Backspace: () => this.remove()
  }

  stops() {
    return this.keysFound.prompts.map((_, i) => ({ i, j: -1 }))
  }

  step(by, fine) {
    const prompt = this.keysFound.prompts[this.chosen?.i]
    if (!prompt) return
    this.edit((text) => movedPrompt(text, this.read, this.chosen.i, steppedPlace(prompt.at, by, fine), fine))
  }

  insert() {
    const { prompts } = this.keysFound
    const added = prompts.length && addedPrompt(this.text, this.read, this.chosen?.i ?? prompts.length - 1)
    if (!added) return
    this.chosen = { i: added.prompt, j: -1 }
    this.edit(() => added.text)
  }

  async reword() {
    const prompt = this.keysFound.prompts[this.chosen?.i]
    if (!prompt || !this.editable) return
    const { i } = this.chosen
    const words = (await this.port.ask('Key prompt', `The words of prompt ${i + 1}:`, prompt.text))?.trim()
    if (words) this.edit((text) => setText(text, i, words))
  }

  remove() {
    const { i } = this.chosen ?? {}
    if (!this.keysFound.prompts[i]) return
    this.chosen = i ? { i: i - 1, j: -1 } : this.chosen
    this.edit((text) => withoutPrompt(text, i))
  }

  copied() {
    return this.keysFound.prompts[this.chosen?.i]?.text ?? ''
  }

  pasted() {
    return false
  }
}
