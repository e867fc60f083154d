// What an editor knows of its node and of the graph around it. The text of one widget is all that it ever changes.
import { Clip } from './clip.js'

const FURTHEST = 60
const LENGTH = 'length' // what the host's nodes for empty latents and first frames call the number of video frames
const DEFAULT = { frames: 81, compression: 4 }

export class Port {
  constructor(app, node, name) {
    Object.assign(this, { app, node, name, depth: 0 })
  }

  get text() {
    return this.value(this.name) ?? ''
  }

  /** The value of a widget of the node. */
  value(name) {
    return widgetOf(this.node, name)?.value
  }

  /** Whether an input gets its value from another node. */
  linked(name) {
    const input = this.node.inputs?.find((input) => input.name === name)
    return input !== undefined && input.link !== null && input.link !== undefined
  }

  /** Writes the text as a hand at the keyboard would. */
  write(text) {
    const widget = widgetOf(this.node, this.name)
    if (widget.value === text) return
    widget.value = text
    widget.callback?.(text, this.app.canvas, this.node)
    this.node.graph?.setDirtyCanvas(true, true)
  }

  /** What is written until `end` is one step to undo. */
  begin() {
    if (!this.depth++) this.app.canvas.emitBeforeChange()
  }

  end() {
    if (this.depth && !--this.depth) this.app.canvas.emitAfterChange()
  }

  /** Asks for a text with the frontend's own dialog; null if that was cancelled. */
  ask(title, message, defaultValue = '') {
    return this.app.extensionManager.dialog.prompt({ title, message, defaultValue })
  }

  /** Gives the canvas a press or a turn of the wheel, which in the classic mode do not reach it by themselves. */
  pan(event) {
    if (!globalThis.LiteGraph?.vueNodesMode) this.app.canvas.processMouseDown(event)
  }

  zoom(event) {
    if (globalThis.LiteGraph?.vueNodesMode) return
    event.preventDefault()
    this.app.canvas.processMouseWheel(event)
  }

  /** The clip that the widgets `frames` and `temporal_compression` describe. */
  ownClip() {
    return Clip.of(this.value('frames'), this.value('temporal_compression'), this.value('fps'))
  }

  /** The clip of the nearest node that sets a length, from `start` on, with a `given` compression; `known`: there is one. */
  foundClip(start, given) {
    const found = lengthNear(start ?? this.node)
    const { frames, compression } = found ?? DEFAULT
    return { clip: Clip.of(frames, given ?? compression, this.value('fps')), known: found !== null }
  }

  /** The node behind an input. */
  source(name) {
    return this.linked(name) ? this.node.getInputNode(this.node.inputs.findIndex((input) => input.name === name)) : null
  }
}

const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name)

/** Searches what is connected, nearest first. The step of a length is the temporal compression of its latent. */
function lengthNear(start) {
  const seen = new Set([start])
  for (const node of seen) {
    const widget = widgetOf(node, LENGTH)
    if (Number.isInteger(widget?.value)) return { frames: lengthOf(node, widget), compression: widget.options?.step2 || 1 }
    if (seen.size < FURTHEST) for (const other of neighbours(node)) seen.add(other)
  }
  return null
}

/** Its own value, or that of a number node it is linked to. */
function lengthOf(node, widget) {
  const slot = node.inputs?.findIndex((input) => input.widget?.name === LENGTH) ?? -1
  const linked = slot >= 0 ? node.getInputNode(slot)?.widgets?.[0]?.value : undefined
  return Number.isInteger(linked) ? linked : widget.value
}

function neighbours(node) {
  const before = (node.inputs ?? []).map((_, slot) => node.getInputNode(slot))
  const after = (node.outputs ?? []).flatMap((_, slot) => node.getOutputNodes(slot) ?? [])
  return [...before, ...after].filter(Boolean)
}
