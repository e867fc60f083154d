// Has the real ComfyUI frontend make workflow files: node workflows.mjs URL JOBS.json RESULTS.json [PICTURES]
// Loads each API prompt, lays it out in groups, and writes what the frontend saves: the workflow and its API twin. Of a job with
// `inside` the frontend makes a subgraph blueprint of those nodes, too.
import fs from 'node:fs'
import path from 'node:path'
import { boot, launch } from './frontend.mjs'

const [url, jobs, results, pictures] = process.argv.slice(2)

// Runs in the page. Nodes flow down the columns of their group, groups stand side by side, the note is in front.
async function make({ name, prompt, groups, note, previews, properties }) {
  const GAP = 40
  const TITLE = 30
  const HEIGHT = 1150
  const NARROWEST = 320
  const { app, LiteGraph } = window
  const graph = () => app.graph

  function prepare(node) {
    Object.assign(node.properties, properties[node.id])
    for (const widget of node.widgets ?? []) if (widget.name === 'control_after_generate') widget.value = 'fixed'
    const [width, height] = node.computeSize()
    const [wide, extra] = previews[node.type] ?? [NARROWEST, 0]
    node.setSize([Math.max(width, wide), height + extra])
  }

  function place(nodes, left) {
    let [x, y, width] = [left + GAP / 2, 2 * TITLE + GAP / 2, 0]
    let bottom = y
    for (const node of nodes) {
      if (width && y + node.size[1] > HEIGHT) [x, y, width] = [x + width + GAP, 2 * TITLE + GAP / 2, 0]
      node.pos = [x, y]
      width = Math.max(width, node.size[0])
      y += node.size[1] + TITLE + GAP / 2
      bottom = Math.max(bottom, y)
    }
    for (const node of nodes) {
      const column = nodes.filter((other) => other.pos[0] === node.pos[0])
      node.setSize([Math.max(...column.map((other) => other.size[0])), node.size[1]])
    }
    return [x + width + GAP / 2, bottom - TITLE]
  }

  function addNote(text) {
    const node = LiteGraph.createNode('MarkdownNote')
    graph().add(node)
    node.title = 'What to look at'
    node.widgets[0].value = text
    node.pos = [0, TITLE]
    node.setSize([420, 560])
  }

  await app.loadApiJson(structuredClone(prompt), name)
  for (const node of graph().nodes) prepare(node)
  let left = 420 + GAP
  for (const { title, nodes } of groups) {
    const [right, bottom] = place(nodes.map((id) => graph().getNodeById(id)), left)
    const frame = new LiteGraph.LGraphGroup(title)
    frame.pos = [left, 0]
    frame.size = [right - left, bottom]
    graph().add(frame)
    left = right + GAP
  }
  addNote(note)
  const made = await app.graphToPrompt()
  return { workflow: made.workflow, prompt: made.output, width: left }
}

// Runs in the page that shows the made graph. What the frontend publishes when the nodes inside are made one, and it alone is left.
async function publish({ name, description, aliases, inside, previews }) {
  const { app } = window
  const graph = app.graph
  const linkOf = (id) => graph.links.get?.(id) ?? graph.links[id]
  const { subgraph, node } = graph.convertToSubgraph(new Set(inside.map((id) => graph.getNodeById(id))))
  const named = []
  node.inputs.forEach((input, index) => {
    const link = linkOf(input.link)
    const origin = graph.getNodeById(link.origin_id)
    const label = origin.title === 'each by its own name' ? origin.outputs[link.origin_slot].name.toLowerCase() : origin.title
    subgraph.renameInput(subgraph.inputs[index], label)
    const widget = node.widgets.find((one) => one.name === input.widget?.name)
    if (widget) widget.value = origin.widgets[0].value
    named.push(label)
  })
  node.outputs.forEach((output, index) => {
    const label = graph.getNodeById(linkOf(output.links[0]).target_id).title
    subgraph.renameOutput(subgraph.outputs[index], label)
    named.push(label)
  })
  subgraph.description = description
  subgraph.extra = { ...subgraph.extra, BlueprintDescription: description, BlueprintSearchAliases: aliases }
  node.title = name
  const [wide, high] = node.computeSize()
  node.setSize([Math.max(wide, 400), high + previews.PreviewImage[1]])
  const { output } = await app.graphToPrompt()
  for (const other of [...graph.nodes]) if (other !== node) graph.remove(other)
  for (const group of [...graph.groups]) graph.remove(group)
  app.canvas.select(node)
  await app.extensionManager.command.execute('Comfy.PublishSubgraph', { metadata: { name } })
  return { output, named }
}

// Loads a finished workflow as a user would, and says what the frontend does not know.
async function check({ workflow, name }) {
  await window.app.loadGraphData(structuredClone(workflow), true, true, name)
  const unknown = window.app.graph.nodes.filter((node) => !window.LiteGraph.registered_node_types[node.type])
  return { unknown: unknown.map((node) => node.type), prompt: (await window.app.graphToPrompt()).output }
}

async function picture(page, width, file) {
  await page.evaluate((width) => {
    const { ds } = window.app.canvas
    ds.scale = Math.min(1, 2850 / width)
    ds.offset = [60 / ds.scale, 120 / ds.scale]
    window.app.canvas.setDirty(true, true)
  }, width)
  await page.waitForTimeout(700)
  await page.screenshot({ path: file })
}

const errors = []
const browser = await launch()
const watch = (page) => page.on('pageerror', (error) => errors.push(error.message))
const found = []
for (const job of JSON.parse(fs.readFileSync(jobs, 'utf8'))) {
  const page = await boot(browser, url, { width: 3000, height: 1300 }, { watch }) // an old page remembers values of linked widgets
  const { width, ...made } = await page.evaluate(make, job)
  const loaded = await page.evaluate(check, { workflow: made.workflow, name: job.name })
  if (pictures) await picture(page, width, path.join(pictures, `${job.name}.png`))
  const blueprint = job.inside && (await page.evaluate(publish, job))
  found.push({ name: job.name, ...made, loaded, blueprint })
  await page.close()
}
fs.writeFileSync(results, JSON.stringify({ errors, found }))
await browser.close()
