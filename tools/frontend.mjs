// The real ComfyUI frontend in the system's Chromium. CHROMIUM is the browser's program.
import { chromium } from 'playwright-core'

// Without a sandbox, which root and most containers do not have: nothing but our own server is ever opened.
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--no-first-run']
const SETTINGS = {
  'LiteGraph.Canvas.MinFontSizeForLOD': 0,
  'Comfy.TutorialCompleted': true,
  'Comfy.Minimap.Visible': false,
  'Comfy.Workflow.Persist': false,
  'Comfy.Workflow.ShowMissingModelsWarning': false
}

// Runs in the page: brings the whole graph into view.
export function fit() {
  const { ds, graph, canvas } = window.app.canvas
  const boxes = [...graph.nodes, ...graph.groups].map((item) => item.boundingRect ?? item.getBounding())
  const [left, top] = [0, 1].map((axis) => Math.min(...boxes.map((box) => box[axis])))
  const [right, bottom] = [0, 1].map((axis) => Math.max(...boxes.map((box) => box[axis] + box[axis + 2])))
  const { width, height } = canvas.getBoundingClientRect()
  ds.scale = Math.min(1, (width - 120) / (right - left), (height - 220) / (bottom - top))
  ds.offset = [90 / ds.scale - left, 120 / ds.scale - top]
  window.app.canvas.setDirty(true, true)
}

// One browser for any number of pages.
export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: ARGUMENTS })
}

// A page of a user who was never here, with the frontend of the server at `url`. Nothing but that server can be reached, and of it
// no address that `blocked` matches. `watch` is given the page before it opens.
export async function boot(browser, url, viewport, { settings = {}, blocked = /$^/, watch = () => {} } = {}) {
  const answer = await fetch(`${url}/api/settings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...SETTINGS, ...settings })
  })
  if (!answer.ok) throw new Error(`settings: ${answer.status}`)
  const page = await browser.newPage({ viewport })
  const allowed = (address) => /^(data|blob):/.test(address) || (address.startsWith(url) && !blocked.test(address))
  await page.route('**/*', (route) => (allowed(route.request().url()) ? route.continue() : route.abort()))
  watch(page)
  await page.goto(url, { waitUntil: 'load' })
  const ready = () => window.app?.vueAppReady && window.app.extensionManager.spinner === false && window.app.graph
  await page.waitForFunction(ready, null, { timeout: 90000 })
  return page
}
