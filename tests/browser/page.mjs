// What browser tests share: a page with the real frontend, and what a user does there.
import fs from 'node:fs'
import path from 'node:path'
import { boot, fit, launch } from '../../tools/frontend.mjs'

const [url, pictures] = process.argv.slice(2)
const SMALL = { width: 800, height: 500 } // the page is drawn without a GPU: the smaller, the sooner a run is over
export const EXAMPLES = new URL('../../example_workflows/', import.meta.url)
const LARGE = { width: 2600, height: 1100 }
const LIMIT = 300000 // milliseconds for one run of a workflow
// Errors of the frontend itself for every new user: files that he does not have yet, addresses outside, which are shut off, and
// its own start.
const EXPECTED = /\/user\.css|\/api\/userdata|ERR_FAILED|Content Security Policy|accessed before initialization/

export const MODES = { classic: false, 'Nodes 2.0': true }

// Addresses of this pack's scripts, to be blocked: it must work without them.
export const OWN_SCRIPTS = /\/extensions\/(?!core\/)[^?]*\.m?js/

// The example workflow of this name, or with 'api/' before it, its API twin.
export function example(name) {
  return JSON.parse(fs.readFileSync(new URL(`${name}.json`, EXAMPLES), 'utf8'))
}

// Runs in the page: waits until it was drawn so often.
async function drawn(times) {
  for (let i = 0; i < times; i++) await new Promise(requestAnimationFrame)
}

// Runs in the page: whether a box is not all inside its node.
function lies_elsewhere({ node, box }) {
  const [left, top] = window.app.canvasPosToClientPos(node.pos)
  const [right, bottom] = window.app.canvasPosToClientPos([node.pos[0] + node.size[0], node.pos[1] + node.size[1]])
  return box.left < left || box.top < top || box.right > right || box.bottom > bottom
}

let browser
export async function close() {
  await browser?.close()
}

// A new page in one of the MODES. `blocked`: addresses that it may not reach.
export async function open(mode, { blocked } = {}) {
  browser ??= await launch()
  const faults = []
  const watch = (page) => {
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      const text = `${message.text()} ${message.location().url}`
      if (message.type() === 'error' && !EXPECTED.test(text) && !blocked?.test(text)) faults.push(text)
    })
  }
  const page = await boot(browser, url, SMALL, { settings: { 'Comfy.VueNodes.Enabled': MODES[mode] }, blocked, watch })
  return new Frontend(page, mode, faults)
}

class Frontend {
  // `page` is Playwright's, `faults` are the errors of the page and its console so far.
  constructor(page, mode, faults) {
    Object.assign(this, { page, mode, faults })
  }

  // Opens a workflow as a user would, all of it in view. Returns the types of nodes that are red: not known, or without a file that
  // they need.
  async load(workflow, name) {
    const red = await this.page.evaluate(
      async ([workflow, name]) => {
        await window.app.loadGraphData(workflow, true, true, name)
        const inside = (graph) => graph.nodes.flatMap((node) => [node, ...(node.subgraph ? inside(node.subgraph) : [])])
        const known = (node) => node.subgraph || window.LiteGraph.registered_node_types[node.type]
        return inside(window.app.graph)
          .filter((node) => node.has_errors || !known(node))
          .map((node) => node.type)
      },
      [workflow, name]
    )
    if (workflow.nodes.length) await this.page.evaluate(fit)
    return red
  }

  // What would be queued: {node id: {class_type, inputs}}.
  async prompt() {
    return this.page.evaluate(async () => (await window.app.graphToPrompt()).output)
  }

  // What would be saved.
  async workflow() {
    return this.page.evaluate(async () => (await window.app.graphToPrompt()).workflow)
  }

  // Queues the graph and waits for its end. Returns the ids of the nodes that showed something; throws what the server says.
  async run() {
    const { error, shown } = await this.page.evaluate(
      (limit) =>
        new Promise((resolve) => {
          const { api } = window.app
          const shown = []
          const listen = (name, then) => api.addEventListener(name, ({ detail }) => then(detail), { once: name !== 'executed' })
          listen('executed', (detail) => shown.push(detail.display_node ?? detail.node))
          listen('execution_success', () => resolve({ shown }))
          listen('execution_error', (detail) => resolve({ error: `${detail.node_type}: ${detail.exception_message}` }))
          setTimeout(() => resolve({ error: `no end after ${limit / 1000} s` }), limit)
          window.app.queuePrompt(0, 1).then((queued) => {
            if (!queued) resolve({ error: `refused: ${JSON.stringify(window.app.lastNodeErrors)}` })
          })
        }),
      LIMIT
    )
    if (error) throw new Error(error)
    return shown
  }

  // Gives every widget that has this name and a value of this type another value, in subgraphs too.
  async set(name, value) {
    await this.page.evaluate(
      ([name, value]) => {
        const inside = (graph) => graph.nodes.flatMap((node) => [node, ...(node.subgraph ? inside(node.subgraph) : [])])
        for (const node of inside(window.app.graph))
          for (const widget of node.widgets ?? [])
            if (widget.name === name && typeof widget.value === typeof value) widget.value = value
      },
      [name, value]
    )
  }

  // Adds one of each of this pack's nodes to an empty graph.
  async addOwnNodes() {
    await this.load({ version: 0.4, nodes: [], links: [], groups: [], last_node_id: 0, last_link_id: 0 }, 'own nodes')
    await this.page.evaluate(() => {
      const { app, LiteGraph } = window
      const own = Object.keys(LiteGraph.registered_node_types).filter((type) => type.startsWith('TA_'))
      for (const type of own.sort()) app.graph.add(LiteGraph.createNode(type))
    })
  }

  // Puts these nodes into a subgraph and returns the id of its node.
  async intoSubgraph(ids) {
    return this.page.evaluate((ids) => {
      const { graph } = window.app
      return graph.convertToSubgraph(new Set(ids.map((id) => graph.getNodeById(id)))).node.id
    }, ids)
  }

  // Shows the inside of a subgraph.
  async enter(id) {
    await this.page.evaluate((id) => {
      const node = window.app.graph.getNodeById(id)
      window.app.canvas.openSubgraph(node.subgraph, node)
    }, id)
  }

  // Watches for live previews. Returns what gives those so far: the id of the node, and the width and height of the picture.
  async previews() {
    await this.page.evaluate(() => {
      window.seen = []
      window.app.api.addEventListener('b_preview_with_metadata', ({ detail: { blob, displayNodeId } }) => {
        window.seen.push(createImageBitmap(blob).then(({ width, height }) => ({ node: displayNodeId, size: [width, height] })))
      })
    })
    return () => this.page.evaluate(() => Promise.all(window.seen))
  }

  // Width and height of the picture that a node of the graph on screen shows, or null.
  async imageOf(id) {
    return this.page.evaluate(
      ([id, drawnAsPage]) => {
        const image = drawnAsPage
          ? document.querySelector(`[data-node-id="${id}"] img`)
          : window.app.canvas.graph.getNodeById(id).imgs?.[0]
        return image ? [image.naturalWidth, image.naturalHeight] : null
      },
      [id, MODES[this.mode]]
    )
  }

  // Waits for the animated pictures of nodes in the classic canvas, and returns the titles of those whose picture lies elsewhere.
  async strays() {
    if (MODES[this.mode]) return []
    const pictures = () => {
      const nodes = window.app.graph.nodes.filter((node) => node.type === 'SaveAnimatedWEBP')
      return nodes.map((node) => ({ node, box: node.imgs?.[0].closest('.dom-widget')?.getBoundingClientRect() }))
    }
    await this.page.waitForFunction(`(${pictures})().every(({ box }) => box?.width)`)
    await this.page.evaluate(drawn, 5)
    return this.page.evaluate(`(${pictures})().filter(${lies_elsewhere}).map(({ node }) => node.title)`)
  }

  // Keeps the whole graph as a picture: output/browser/NAME, MODE.png
  async screenshot(name) {
    await this.page.setViewportSize(LARGE)
    await this.page.evaluate(fit)
    await this.page.waitForFunction(() => [...document.images].every((image) => image.complete))
    await this.page.evaluate(drawn, 5)
    await this.page.waitForTimeout(500)
    await this.page.screenshot({ path: path.join(pictures, `${name}, ${this.mode}.png`) })
    await this.page.setViewportSize(SMALL)
  }

  async close() {
    await this.page.close()
  }
}
