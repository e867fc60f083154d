// Every example workflow, opened in both kinds of canvas and run on the demo model.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { EXAMPLES, example, MODES, open } from './page.mjs'

const FILES = fs.readdirSync(EXAMPLES).filter((file) => file.endsWith('.json'))
const NAMES = FILES.map((file) => file.slice(0, -'.json'.length))
const STEPS = 4 // of each sampler: it is about the graph, not about the video

test('examples', async (t) => {
  const frontends = []
  for (const mode of Object.keys(MODES)) frontends.push(await open(mode))
  // A workflow in both modes before the next one: the second run is then taken from the server's cache.
  for (const name of NAMES)
    for (const frontend of frontends) await t.test(`${name}, ${frontend.mode}`, () => check(frontend, name))
  for (const frontend of frontends) await frontend.close()
})

async function check(frontend, name) {
  const [workflow, twin] = [example(name), example(`api/${name}`)]
  const loaders = workflow.nodes.filter((node) => node.properties.models).map((node) => node.type)
  frontend.faults.length = 0
  assert.deepEqual((await frontend.load(workflow, name)).sort(), loaders.sort(), 'red nodes are those whose files nobody has')
  assert.deepEqual(values(await frontend.prompt()), values(twin))
  await frontend.set('steps', STEPS)
  if (!loaders.length) {
    assert.notDeepEqual(await frontend.run(), [])
    assert.deepEqual(await frontend.strays(), [], 'animated pictures lie in their nodes')
  }
  await frontend.screenshot(name)
  assert.deepEqual(frontend.faults, [])
}

// A prompt without the titles of its nodes, and without what Nodes 2.0 adds to Load Video.
function values(prompt) {
  const kept = ({ class_type, inputs: { 'video-preview': shown, ...inputs } }) => ({ class_type, inputs })
  return Object.fromEntries(Object.entries(prompt).map(([id, node]) => [id, kept(node)]))
}
