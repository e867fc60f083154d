// Puts a timeline under the text of a schedule and under key prompts. The text stays the only
// value, so nodes work and workflows stay the same without it.
import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { after } from './after.js'
import { KeyPromptsView } from './editor/key_prompts_view.js'
import { Port } from './editor/port.js'
import { ScheduleView } from './editor/schedule_view.js'

const MARGINS = 20 // above and below, that the classic canvas takes from the height of a widget
// A new node is a little larger than it has to be.
const WIDTH = 480
const MORE_TEXT = 50
const VIEWS = { TA_TemporalSchedule: ScheduleView, TA_VideoSynopsisPrompt: KeyPromptsView }

// Undo makes every node anew: an editor with the keyboard at it comes back so soon after a key and after it left.
const COMES_BACK = 2000 // milliseconds
let left = {}

app.registerExtension({
  name: 'temporalattention.timelines',
  nodeCreated(node) {
    const View = VIEWS[node.constructor.comfyClass]
    if (View) attach(node, View)
  }
})

function attach(node, View) {
  const view = new View(new Port(app, node, View.NAME))
  const height = () => View.HEIGHT + MARGINS
  // `hideInPanel`: the side panel would take the element out of the node. `serialize: false` keeps it out of the API prompt,
  // and `serialize` of the widget itself out of the workflow's values.
  const options = { hideInPanel: true, serialize: false, getMinHeight: height, getValue: () => '', setValue: () => {} }
  node.addDOMWidget('timeline', 'TA_TIMELINE', view.element, options).serialize = false
  const [wide, tall] = node.computeSize()
  node.setSize([Math.max(wide, WIDTH), tall + MORE_TEXT])
  const refresh = () => view.refresh()
  for (const name of View.WATCHED) after(node.widgets.find((widget) => widget.name === name), 'callback', refresh)
  after(node, 'onConfigure', () => {
    if (left.id === node.id && performance.now() - left.at < COMES_BACK) view.resume(left.chosen)
    view.refresh()
    requestAnimationFrame(() => requestAnimationFrame(() => takePlace(node, view.element)))
  })
  after(node, 'onConnectionsChange', () => requestAnimationFrame(refresh))
  after(node, 'onAdded', () => api.addEventListener('graphChanged', refresh))
  after(node, 'onRemoved', () => {
    api.removeEventListener('graphChanged', refresh)
    if (performance.now() - view.typed < COMES_BACK) left = { id: node.id, chosen: view.chosen, at: performance.now() }
    view.close()
  })
}

/** Nodes 2.0 may keep showing the element of the node that undo replaced, which no longer belongs to anything. */
function takePlace(node, element) {
  if (element.isConnected || node.graph !== app.canvas.graph) return
  document.querySelector(`[data-node-id="${node.id}"] .ta-timeline`)?.replaceWith(element)
}
