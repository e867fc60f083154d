// The real ComfyUI frontend in the system's Chromium. CHROMIUM is the browser's program.
import { chromium } from 'playwright-core'

const QUIET = ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const SETTINGS = {
  'Comfy.TutorialCompleted': true,
  'Comfy.Minimap.Visible': false,
  'Comfy.Workflow.Persist': false,
  'Comfy.Workflow.ShowMissingModelsWarning': false
}

// One browser for any number of pages.
export async function launch() {
  const args = process.getuid?.() === 0 ? ['--no-sandbox', ...QUIET] : QUIET
  return chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args })
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
  const ready = () => window.app?.graph && window.app.vueAppReady && window.app.extensionManager.spinner === false
  await page.waitForFunction(ready, null, { timeout: 90000 })
  return page
}
