// The frame of an editor: tools above, a stage to draw on, an axis and a line that says what is chosen, in a shadow root.
import { html, svg } from './dom.js'
import { STYLE } from './style.js'

export class Panel {
  /** `tools` are elements for the row above; `label` and `help` are read to people who cannot see it. */
  constructor({ label, help, height, tools, onResize }) {
    this.element = html('div', { class: 'ta-timeline', style: `min-height: ${height}px` })
    this.help = help
    this.picture = svg('svg', { tabindex: 0, role: 'application', 'aria-label': label, 'aria-describedby': 'status' })
    this.notice = html('div', { class: 'notice', role: 'alert', hidden: '' })
    this.stage = html('div', { class: 'stage' }, this.picture, this.notice)
    this.axis = svg('svg', { 'aria-hidden': 'true' })
    this.clip = html('span', { class: 'clip' })
    this.status = html('div', { class: 'status', id: 'status', role: 'status', 'aria-live': 'polite' })
    this.tools = tools
    const row = html('div', { class: 'tools', role: 'toolbar', 'aria-label': label }, ...tools, this.clip)
    this.panel = html('div', { class: 'panel' }, row, this.stage, this.axis, this.status)
    this.element.attachShadow({ mode: 'open' }).append(html('style', {}, STYLE), this.panel)
    this.resizes = new ResizeObserver(onResize)
    this.resizes.observe(this.stage)
  }

  /** Width and height to draw in, in the element's own pixels, whatever the canvas is zoomed to. */
  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight }
  }

  /** Shows children on a stage of this height, and on the axis below. */
  show(children, axis, height, axisHeight) {
    const { width } = this.size
    for (const [element, tall] of [[this.picture, height], [this.axis, axisHeight]]) {
      element.setAttribute('viewBox', `0 0 ${width} ${tall}`)
      element.setAttribute('height', tall)
    }
    this.picture.replaceChildren(...children)
    this.axis.replaceChildren(...axis)
    this.cover(null)
  }

  /** Shows a notice in place of the drawing; null takes it away. */
  cover(children, wrong = false) {
    this.notice.hidden = !children
    this.notice.classList.toggle('wrong', wrong)
    this.picture.style.display = this.axis.style.display = children ? 'none' : ''
    this.notice.replaceChildren(...(children ?? []))
  }

  /** Says what is chosen, or how to begin where something can be edited. */
  say(text, wrong = false) {
    const said = text || (this.panel.classList.contains('editable') ? this.help : '')
    if (this.status.textContent !== said) this.status.textContent = said
    this.status.classList.toggle('wrong', wrong)
  }

  /** Whether anything can be edited. */
  allow(editable) {
    this.panel.classList.toggle('editable', editable)
    this.panel.classList.toggle('locked', !editable)
    this.picture.setAttribute('aria-disabled', !editable)
  }

  /** Where a pointer is, in the pixels of the drawing. */
  at({ clientX, clientY }) {
    const box = this.picture.getBoundingClientRect()
    const { width, height } = this.picture.viewBox.baseVal
    return { x: ((clientX - box.left) / box.width) * width, y: ((clientY - box.top) / box.height) * height }
  }

  /** Lets go of the page. */
  close() {
    this.resizes.disconnect()
  }
}

/** Why a text cannot be read, and the line that is wrong: the children of a notice. */
export function mistake(error) {
  const { content } = error
  if (!content) return [error.message]
  const letters = [...content]
  const from = (error.column ?? 1) - 1
  const right = letters.slice(0, from).join('')
  return [error.message, html('pre', {}, `${error.row}:  ${right}`, html('mark', {}, letters.slice(from).join('') || ' '))]
}

/** A button of the row of tools. */
export function tool(label, title, action) {
  const button = html('button', { type: 'button', title, 'aria-label': title }, label)
  button.addEventListener('click', action)
  return button
}
