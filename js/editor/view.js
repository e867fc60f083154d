// What both editors share: reading, redrawing and writing the text, and what pointer, keyboard and clipboard do.
import { mistake, Panel } from './panel.js'
import { TextError } from './text.js'

/**
 * A subclass says what there is: tools(), reset(), setting(), draw(setting), update(editable), said(), press(at, fine),
 * dragged(text, from, at, fine), menu(at), keys, stops(), copied() and pasted(text).
 */
export class View {
  constructor(port, { label, help, height }) {
    this.port = port
    this.chosen = null
    this.drag = null
    this.resuming = false
    this.typed = -Infinity
    this.panel = new Panel({ label, help, height, tools: this.tools(), onResize: () => this.refresh() })
    this.listen()
  }

  get element() {
    return this.panel.element
  }

  get text() {
    return this.port.text
  }

  /** Whether the text comes from another node, so that nothing here can change it. */
  get locked() {
    return this.port.linked(this.port.name)
  }

  /** Draws what the node says now. */
  refresh() {
    if (!this.panel.size.width) return
    this.editable = false
    this.reset()
    if (this.locked) this.lock()
    else this.redraw()
    this.panel.allow(this.editable)
    this.update(this.editable)
    if (this.resuming) this.panel.picture.focus()
    this.resuming = false
  }

  /** Takes the place of an editor of the same node that had the keyboard, as soon as it is on the page. */
  resume(chosen) {
    Object.assign(this, { chosen, resuming: true })
  }

  redraw() {
    try {
      this.read = this.setting()
      this.draw(this.read)
      this.editable = true
    } catch (error) {
      if (!(error instanceof TextError)) throw error
      this.panel.cover(mistake(error), true)
    }
  }

  lock() {
    const from = this.port.source(this.port.name)?.title
    const where = from ? `from “${from}”` : 'through a link'
    this.panel.cover([`The text comes ${where}: edit it there, or take the link away to edit it here.`])
  }

  /** Writes a changed text, as one step to undo. Returns whether the change could be made. */
  edit(change) {
    if (!this.editable) return false
    const changed = attempt(() => change(this.text))
    if (changed === null) return false
    this.port.begin()
    this.port.write(changed)
    this.port.end()
    this.refresh()
    return true
  }

  /** Scrolls to what is chosen; not all editors can. */
  reveal() {}

  close() {
    this.letGo()
    this.panel.close()
  }

  // Listeners are on the editor's own elements: they go when it goes.

  listen() {
    const { picture, element } = this.panel
    picture.addEventListener('pointerdown', (event) => this.down(event))
    picture.addEventListener('pointermove', (event) => this.move(event))
    picture.addEventListener('pointerup', () => this.letGo())
    picture.addEventListener('lostpointercapture', () => this.letGo())
    picture.addEventListener('keydown', (event) => this.key(event))
    picture.addEventListener('copy', (event) => this.copy(event))
    picture.addEventListener('paste', (event) => this.paste(event))
    picture.addEventListener('contextmenu', (event) => this.context(event))
    element.addEventListener('wheel', (event) => this.wheel(event), { passive: false })
  }

  down(event) {
    if (event.button === 1) return this.port.pan(event)
    if (event.button !== 0 || !this.editable) return
    event.stopPropagation()
    this.panel.picture.setPointerCapture(event.pointerId)
    this.port.begin()
    const at = this.panel.at(event)
    const before = this.text
    this.press(at, event.shiftKey)
    this.drag = { from: at, text: this.text, before }
    this.refresh()
  }

  move(event) {
    if (!this.drag) return
    const changed = this.dragged(this.drag.text, this.drag.from, this.panel.at(event), event.shiftKey)
    if (changed === this.text) return
    this.port.write(changed)
    this.refresh()
  }

  letGo() {
    if (!this.drag) return
    this.drag = null
    this.port.end()
  }

  context(event) {
    event.preventDefault()
    event.stopPropagation()
    if (this.editable) this.menu(this.panel.at(event))
  }

  key(event) {
    this.typed = performance.now()
    if (event.key === 'Tab') return this.tab(event)
    if (event.key === 'Escape' && this.drag) this.cancel()
    else if (event.ctrlKey || event.metaKey || event.altKey || !this.editable || !this.keys[event.key]) return
    else this.keys[event.key](event.shiftKey)
    event.preventDefault()
    event.stopPropagation()
  }

  cancel() {
    this.port.write(this.drag.before)
    this.letGo()
    this.refresh()
  }

  /** Tab goes from one thing to the next, and at the ends leaves the editor. */
  tab(event) {
    const stops = this.editable ? this.stops() : []
    const now = stops.findIndex(({ i, j }) => i === this.chosen?.i && j === this.chosen?.j)
    const next = stops[event.shiftKey ? (now < 0 ? -1 : now - 1) : now + 1]
    if (!next) return
    this.chosen = next
    event.preventDefault()
    event.stopPropagation()
    this.refresh()
    this.reveal()
  }

  copy(event) {
    const copied = this.editable ? this.copied() : ''
    if (!copied) return
    event.clipboardData.setData('text/plain', copied)
    event.preventDefault()
    event.stopPropagation()
  }

  paste(event) {
    if (!this.editable || !this.pasted(event.clipboardData.getData('text/plain'))) return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Scrolls where there is something to scroll; otherwise the canvas zooms, as it does over other widgets. */
  wheel(event) {
    const { stage } = this.panel
    if (stage.scrollHeight > stage.clientHeight && !event.ctrlKey) event.stopPropagation()
    else this.port.zoom(event)
  }
}

/** What it returns, or null where a text cannot be read. */
function attempt(change) {
  try {
    return change()
  } catch (error) {
    if (error instanceof TextError) return null
    throw error
  }
}
