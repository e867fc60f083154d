// The classic canvas gives a widget its place at the first drawing that comes after it was added. The host adds that of an animated
// picture while it draws: without one more drawing the picture would lie over the whole page.
import { app } from '../../scripts/app.js'
import { after } from './after.js'

app.registerExtension({
  name: 'temporalattention.animated_pictures',
  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'SaveAnimatedWEBP') return
    after(node, 'addDOMWidget', () => requestAnimationFrame(() => node.graph?.setDirtyCanvas(true)))
  }
})
