// The classic canvas gives a widget its place at the first drawing that comes after it was added. The host adds that of an animated
// picture while it draws: without one more drawing the picture would lie over the whole page.
import { app } from '../../scripts/app.js'
import { after } from './after.js'

const WITHOUT_PLACE = '.dom-widget:not([style])'
const seen = new WeakSet()

app.registerExtension({
  name: 'temporalattention.animated_pictures',
  setup() {
    after(app.canvas, 'onDrawForeground', () => requestAnimationFrame(drawAgain))
  }
})

/** Asks for a drawing, once for each widget. */
function drawAgain() {
  for (const widget of document.querySelectorAll(WITHOUT_PLACE)) {
    if (!seen.has(widget)) app.canvas.setDirty(true)
    seen.add(widget)
  }
}
