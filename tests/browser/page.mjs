// What browser tests share: a page with the real frontend, and what a user does there.
import path from 'node:path'
import { boot, launch } from '../../tools/frontend.mjs'

const [url, pictures] = process.argv.slice(2)
const SMALL = { width: 800, height: 500 } // the page is drawn without a GPU: the smaller, the sooner a run is over
const LARGE = { width: 2600, height: 1100 }
const LIMIT = 300000 // milliseconds for one run of a workflow
// Errors in the console of every new user: files that he does not have yet, and addresses outside, which are shut off.
const EXPECTED = /\/user\.css|\/api\/userdata|ERR_FAILED|Content Security Policy/

export const MODES = { classic: false, 'Nodes 2.0': true }

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
      if (message.type() === 'error' && !EXPECTED.test(text)) faults.push(text)
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

  // Opens a workflow as a user would. Returns the types of nodes that are red: not known, or without a file that they need.
  async load(workflow, name) {
    return this.page.evaluate(
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

  // Gives every widget that has this name and a value of this type another value.
  async set(name, value) {
    await this.page.evaluate(
      ([name, value]) => {
        for (const node of window.app.graph.nodes)
          for (const widget of node.widgets ?? []) if (widget.name === name && typeof widget.value === typeof value) widget.value = value
      },
      [name, value]
    )
  }

  // Keeps the whole graph as a picture: output/browser/NAME, MODE.png
  async screenshot(name) {
    await this.page.setViewportSize(LARGE)
    await this.page.evaluate(() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView'))
    await this.page.waitForFunction(() => [...document.images].every((image) => image.complete))
    await this.page.waitForTimeout(700)
    await this.page.screenshot({ path: path.join(pictures, `${name}, ${this.mode}.png`) })
    await this.page.setViewportSize(SMALL)
  }

  async close() {
    await this.page.close()
  }
}
