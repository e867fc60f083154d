// What the checklist wants to know of the real frontend: node browser.mjs URL ASKED.json ANSWERS.json PICTURES
// ASKED: the pack's folder and its examples. Each is loaded in both kinds of canvas, and once more without the pack's JavaScript.
import fs from 'node:fs'
import path from 'node:path'
import { boot, launch } from '../frontend.mjs'

const [url, asked, answers, pictures] = process.argv.slice(2)
const { pack, examples } = JSON.parse(fs.readFileSync(asked, 'utf8'))
const MODES = { classic: false, 'Nodes 2.0': true }
const STILL = 1500 // milliseconds for toasts and previews to come
// Errors in the console of every new user: files that he does not have yet, and addresses outside, which are shut off.
// And what the frontend says of our waiting for its graph.
const EXPECTED = /accessed before initialization|\/user\.css|\/api\/userdata|ERR_FAILED|Content Security Policy|\/input\/your_video/

async function open(browser, mode, blocked) {
  const faults = []
  const watch = (page) => {
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      const text = `${message.text()} ${message.location().url}`
      if (message.type() === 'error' && !EXPECTED.test(text)) faults.push(text)
    })
  }
  const settings = { 'Comfy.VueNodes.Enabled': MODES[mode], 'Comfy.Validation.Workflows': true }
  const page = await boot(browser, url, { width: 1600, height: 900 }, { settings, blocked, watch })
  await page.waitForTimeout(STILL)
  return { page, faults, toasts: await toasts(page) }
}

async function toasts(page) {
  return page.locator('.p-toast-message').evaluateAll((all) => all.map((one) => one.innerText.replaceAll('\n', ' ')))
}

// Runs in the page. Loads a workflow as a user would.
async function load([workflow, name]) {
  const { app, LiteGraph } = window
  await app.loadGraphData(workflow, true, true, name)
  const unknown = app.graph.nodes.filter((node) => !LiteGraph.registered_node_types[node.type]).map((node) => node.type)
  const prompt = (await app.graphToPrompt()).output
  return { name, unknown, prompt }
}

async function everyExample({ page, faults, toasts: atStart }) {
  const found = []
  for (const [name, workflow] of Object.entries(examples)) {
    faults.length = 0
    const loaded = await page.evaluate(load, [workflow, name])
    found.push({ ...loaded, faults: [...faults], toasts: (await toasts(page)).filter((text) => !atStart.includes(text)) })
  }
  return found
}

// Runs in the page. Drops a blueprint into an empty graph as the node library does.
async function drop(id) {
  const { app } = window
  const { name, data } = await (await fetch(`/global_subgraphs/${id}`)).json()
  const { nodes, definitions } = JSON.parse(data)
  app.graph.clear()
  Object.assign(app.canvas.ds, { scale: 1, offset: [100, 150] })
  const { created } = app.canvas._deserializeItems({ nodes, subgraphs: definitions.subgraphs }, { position: [80, 80] })
  const [node] = created
  const unknown = node.subgraph.nodes.filter((inner) => !window.LiteGraph.registered_node_types[inner.type]).map((inner) => inner.type)
  const wrong = created.length !== 1 ? `${created.length} nodes` : unknown.length ? `unknown: ${unknown}` : ''
  return { name, wrong, inputs: node.inputs.length, outputs: node.outputs.length }
}

async function everyBlueprint(page) {
  const listed = await (await fetch(`${url}/global_subgraphs`)).json()
  const own = Object.keys(listed).filter((id) => listed[id].info.node_pack === `custom_nodes.${pack}`)
  const found = []
  for (const id of own) {
    const dropped = await page.evaluate(drop, id)
    await page.waitForTimeout(STILL)
    await page.screenshot({ path: path.join(pictures, `${dropped.name}.png`) })
    found.push(dropped)
  }
  return found
}

// Runs in the page. The prompt of a workflow in which these nodes are bypassed.
async function bypassed([workflow, types]) {
  const { app } = window
  await app.loadGraphData(workflow, true, true, 'bypassed')
  for (const node of app.graph.nodes) if (types.includes(node.type)) node.mode = 4
  return (await app.graphToPrompt()).output
}

const STH = 'Spectral Transport Homeostasis'
const browser = await launch()
const result = { modes: {} }
for (const mode of Object.keys(MODES)) {
  const opened = await open(browser, mode)
  const { toasts: atStart, faults } = opened
  const faultsAtStart = [...faults]
  result.modes[mode] = { toasts: atStart, faults: faultsAtStart, examples: await everyExample(opened) }
  if (mode === 'classic') {
    result.bypassed = await opened.page.evaluate(bypassed, [examples[STH], ['TA_SpectralTransportHomeostasis']])
    result.blueprints = await everyBlueprint(opened.page)
  }
  await opened.page.close()
}
const blocked = await open(browser, 'classic', new RegExp(`/extensions/${pack}/.*\\.js`))
result.blocked = await everyExample(blocked)
await browser.close()
fs.writeFileSync(answers, JSON.stringify(result))
