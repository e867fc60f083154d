// The timelines under the texts of Temporal Schedule and Video Synopsis Prompt, used as a person would.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MODES, open, OWN_SCRIPTS } from './page.mjs'

const SCHEDULE = 'cat: 0=0, 2s=1, 4s=0   # seen late\ndog [linear]: 0%=0, 100%=1\n\nred window'
const PROMPTS = '0s: a lake\n2.5s: a thaw\n4s: water'
const ROOM = { width: 1560, height: 800 }
const TIMELINE = { schedule: 'Timeline of the schedule', key_prompts: 'Timeline of the key prompts' }

test('schedule editor', async (t) => {
  for (const mode of Object.keys(MODES)) await t.test(mode, (t) => inMode(t, mode))
})

async function inMode(t, mode) {
  const frontend = await open(mode)
  await frontend.page.setViewportSize(ROOM)
  const cases = { drags, adds, uses_keys, copies, is_shut_by_a_link, shows_what_is_wrong, places_prompts, leaves_nothing }
  for (const [name, run] of Object.entries(cases)) {
    await t.test(name.replaceAll('_', ' '), async () => {
      frontend.faults.length = 0
      await fresh(frontend, run === places_prompts ? 'TA_VideoSynopsisPrompt' : undefined)
      await run(frontend)
      assert.deepEqual(frontend.faults, [])
    })
  }
  await t.test('is the same without our scripts', () => matches_without_scripts(frontend, mode))
  await frontend.close()
}

async function drags(frontend) {
  const dot = await middle(point(frontend, 1))
  await drag(frontend, dot, { x: dot.x + 60, y: dot.y + 2 })
  const dragged = await text(frontend)
  assert.match(dragged, /^cat: 0=0, 2\.[1-9]\d*s=1, 4s=0 {3}# seen late\n/)
  assert.deepEqual(rest(dragged), rest(SCHEDULE))
  await command(frontend, 'Comfy.Undo', SCHEDULE)
  await command(frontend, 'Comfy.Redo', dragged)
  const again = await middle(point(frontend, 1))
  await drag(frontend, again, { x: again.x, y: again.y + 200 })
  assert.equal(await text(frontend), dragged.replace('=1, 4s', '=0, 4s'), 'what undo brought back can be edited')
}

async function adds(frontend) {
  const box = await stage(frontend).boundingBox()
  await frontend.page.mouse.click(box.x + box.width * 0.7, box.y + box.height * 0.35)
  const added = await text(frontend)
  assert.match(added, /dog \[linear\]: 0%=0, [\d.]+%=[01][\d.]*, 100%=1/)
  await frontend.page.mouse.click(...Object.values(await middle(point(frontend, 4))), { button: 'right' })
  assert.equal(await text(frontend), SCHEDULE)
  await frontend.page.getByRole('button', { name: 'Add a phrase of the prompt' }).click()
  await frontend.page.keyboard.type('blue: sky')
  await frontend.page.keyboard.press('Enter')
  await until(frontend, `${SCHEDULE}\n"blue: sky"`)
}

async function uses_keys(frontend) {
  const { keyboard } = frontend.page
  await frontend.page.mouse.click(...Object.values(await middle(point(frontend, 1))))
  const press = async (key, changed) => {
    await keyboard.press(key)
    await until(frontend, SCHEDULE.replace('2s=1, 4s=0', changed))
  }
  const undo = (changed) => undone(frontend, SCHEDULE.replace('2s=1, 4s=0', changed))
  await press('ArrowRight', '2.0625s=1, 4s=0')
  await press('Shift+ArrowRight', '2.125s=1, 4s=0')
  await press('ArrowDown', '2.125s=0.95, 4s=0')
  await press('Insert', '2.125s=0.95, 3.0625s=0.95, 4s=0')
  await press('Delete', '2.125s=0.95, 4s=0')
  await undo('2.125s=0.95, 3.0625s=0.95, 4s=0')
  await undo('2.125s=0.95, 4s=0')
  await undo('2.125s=1, 4s=0')
  await press('ArrowUp', '2.125s=1, 4s=0')
  await press('Tab', '2.125s=1, 4s=0')
  await press('ArrowLeft', '2.125s=1, 3.8125s=0')
}

async function copies(frontend) {
  await stage(frontend).click({ position: { x: 20, y: 20 } })
  const { page } = frontend
  await page.evaluate(() => {
    const node = window.app.graph.nodes.find((node) => node.type === 'TA_TemporalSchedule')
    window.app.canvas.selectNode(node)
    window.app.canvas.copyToClipboard([node])
    window.app.canvas.pasteFromClipboard()
  })
  await page.waitForFunction(() => document.querySelectorAll('.ta-timeline').length === 3)
  const texts = Object.values(await frontend.prompt()).flatMap(({ inputs }) => inputs.schedule ?? [])
  assert.deepEqual(texts, [SCHEDULE, SCHEDULE])
}

async function is_shut_by_a_link(frontend) {
  await frontend.page.evaluate(() => {
    const { app, LiteGraph } = window
    const source = LiteGraph.createNode('PrimitiveStringMultiline')
    app.graph.add(source)
    const node = app.graph.nodes.find((node) => node.type === 'TA_TemporalSchedule')
    source.connect(0, node, node.inputs.findIndex((input) => input.name === 'schedule'))
  })
  await notice(frontend, /The text comes from/)
  assert.ok(await frontend.page.getByRole('button', { name: 'Add a phrase of the prompt' }).isDisabled())
  await frontend.page.evaluate(() => {
    const node = window.app.graph.nodes.find((node) => node.type === 'TA_TemporalSchedule')
    node.disconnectInput(node.inputs.findIndex((input) => input.name === 'schedule'))
  })
  await point(frontend, 4).waitFor()
}

async function shows_what_is_wrong(frontend) {
  const wrong = 'cat: 0=0\ndog: 3=0, 2=1'
  const texts = await frontend.page.locator('textarea').evaluateAll((areas) => areas.map((area) => area.value))
  const area = frontend.page.locator('textarea').nth(texts.indexOf(SCHEDULE))
  await area.fill(wrong)
  await notice(frontend, /places that increase.*line 2, column 11.*2: {2}dog: 3=0, 2=1/s)
  assert.equal(await text(frontend), wrong)
  await area.fill('cat: 0=0')
  await point(frontend, 0).waitFor()
}

async function places_prompts(frontend) {
  const key = async (i) => middle(stage(frontend, 'key_prompts').locator('.key').nth(i))
  const at = await key(1)
  await drag(frontend, at, { x: at.x - 60, y: at.y })
  assert.match(await text(frontend, 'key_prompts'), /^0s: a lake\n1\.\d+s: a thaw\n4s: water$/)
  await undone(frontend, PROMPTS, 'key_prompts')
  await frontend.page.mouse.click(...Object.values(await key(1)))
  await frontend.page.keyboard.press('Insert')
  await until(frontend, PROMPTS.replace('thaw\n', 'thaw\n3.2s: a thaw\n'), 'key_prompts')
  await frontend.page.keyboard.press('Enter')
  await frontend.page.getByRole('dialog').getByRole('textbox').fill('floes')
  await frontend.page.keyboard.press('Enter')
  await until(frontend, PROMPTS.replace('thaw\n', 'thaw\n3.2s: floes\n'), 'key_prompts')
  await frontend.page.getByRole('button', { name: 'Remove the chosen prompt' }).click()
  await until(frontend, PROMPTS, 'key_prompts')
}

async function leaves_nothing(frontend) {
  const left = await frontend.page.evaluate(async () => {
    const { api, graph } = window.app
    let count = 0
    const [add, remove] = [api.addEventListener, api.removeEventListener]
    api.addEventListener = (...given) => (count++, add.apply(api, given))
    api.removeEventListener = (...given) => (count--, remove.apply(api, given))
    const node = window.LiteGraph.createNode('TA_TemporalSchedule')
    graph.add(node)
    const during = count
    for (const each of [...graph.nodes]) graph.remove(each)
    Object.assign(api, { addEventListener: add, removeEventListener: remove })
    return { during, after: count }
  })
  assert.deepEqual(left, { during: 1, after: -2 }, 'one is added with a node; three nodes were removed')
  await frontend.page.waitForFunction(() => !document.querySelector('.ta-timeline'))
}

async function matches_without_scripts(frontend, mode) {
  await fresh(frontend)
  await frontend.screenshot('Schedule editor')
  const workflow = await frontend.workflow()
  const values = ({ nodes }) => Object.fromEntries(nodes.map(({ id, widgets_values }) => [id, widgets_values]))
  const without = await open(mode, { blocked: OWN_SCRIPTS })
  await without.load(workflow, 'without')
  assert.equal(await without.page.locator('.ta-timeline').count(), 0)
  assert.deepEqual(await without.prompt(), await frontend.prompt())
  assert.deepEqual(values(await without.workflow()), values(workflow))
  await without.close()
}

// What a person sees and does.

// A graph with both editors, `last` in front of all others. It is loaded once more, because the host numbers nodes anew when it loads,
// and counts other numbers as a change: after an undo of a graph that was never loaded, its next one would only take that back.
async function fresh(frontend, last = 'TA_TemporalSchedule') {
  const { page } = frontend
  await frontend.load({ version: 0.4, nodes: [], links: [], groups: [], last_node_id: 0, last_link_id: 0 }, 'editor')
  const built = await page.evaluate(
    ([schedule, prompts, last]) => {
      const { app, LiteGraph } = window
      const add = (type, pos, size) => {
        const node = LiteGraph.createNode(type)
        app.graph.add(node)
        node.pos = pos
        node.setSize(size)
        return node
      }
      const latent = add('EmptyHunyuanLatentVideo', [1300, 560], [320, 240])
      const sampler = add('KSampler', [1300, 60], [320, 420])
      const editors = [
        ['TA_TemporalSchedule', 20, schedule],
        ['TA_VideoSynopsisPrompt', 620, prompts]
      ].sort(([type]) => (type === last ? 1 : -1))
      for (const [type, left, text] of editors) add(type, [left, 60], [560, 600]).widgets[0].value = text
      app.graph.nodes.find((node) => node.type === 'TA_VideoSynopsisPrompt').connect(0, sampler, 0)
      latent.widgets.find((widget) => widget.name === 'length').value = 65
      latent.connect(0, sampler, 3)
      return app.graph.serialize()
    },
    [SCHEDULE, PROMPTS, last]
  )
  await frontend.load(built, 'editor')
  await page.evaluate(() => {
    const { app } = window
    Object.assign(app.canvas.ds, { scale: 1, offset: [40, 60] })
    app.canvas.setDirty(true, true)
  })
  await at_rest(point(frontend, 4))
  await page.evaluate(() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState())
}

const stage = (frontend, name = 'schedule') => frontend.page.getByRole('application', { name: TIMELINE[name] }).first()
const point = (frontend, i) => stage(frontend).locator('.point').nth(i)

async function middle(locator) {
  let box = null
  while (!box) box = await locator.boundingBox() // none while it is being drawn anew
  const { x, y, width, height } = box
  return { x: x + width / 2, y: y + height / 2 }
}

// Nodes 2.0 lays nodes out over several frames after it has shown them: a pointer would miss what is still on its way.
async function at_rest(locator) {
  let last, same = 0
  while (same < 5) {
    await locator.page().waitForTimeout(50)
    const place = JSON.stringify(await middle(locator))
    same = place === last ? same + 1 : 0
    last = place
  }
}

async function drag({ page }, from, to) {
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2)
  await page.mouse.move(to.x, to.y)
  await page.mouse.up()
}

async function text(frontend, name = 'schedule') {
  // There is no such node for a moment while undo loads the graph.
  return Object.values(await frontend.prompt()).find(({ inputs }) => name in inputs)?.inputs[name]
}

const rest = (text) => text.split('\n').slice(1)

async function until(frontend, expected, name = 'schedule') {
  for (let tries = 0; tries < 100 && (await text(frontend, name)) !== expected; tries++) await frontend.page.waitForTimeout(50)
  assert.equal(await text(frontend, name), expected)
}

async function command(frontend, id, expected) {
  await settled(frontend)
  await frontend.page.evaluate((id) => window.app.extensionManager.command.execute(id), id)
  await until(frontend, expected)
  await settled(frontend)
}

async function undone(frontend, expected, name = 'schedule') {
  await settled(frontend)
  await frontend.page.keyboard.press('Control+z')
  await settled(frontend)
  await until(frontend, expected, name)
}

// Undo knows an edit, and the nodes that it made anew are shown, a little after their text is there: no person is faster.
async function settled({ page }) {
  await page.waitForTimeout(1000)
}

async function notice(frontend, expected) {
  const shown = frontend.page.locator('.ta-timeline .notice:visible').first()
  await shown.waitFor()
  assert.match(await shown.textContent(), expected)
}
