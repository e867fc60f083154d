// The tension of a run fills up under Trace Attention while the sampler runs, in both kinds of canvas and in a subgraph.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { example, MODES, open } from './page.mjs'

const NAME = 'Spectral Transport Homeostasis'
const [STEPS, TRACE, SAMPLER] = [12, 6, 8]
const SIZE = [496, 278] // of a heatmap of 6 blocks and 12 steps; a sampler's preview is square

for (const mode of Object.keys(MODES)) {
  test(`live preview, ${mode}`, async () => {
    const frontend = await open(mode)
    assert.deepEqual(await frontend.load(example(NAME), NAME), [])
    await frontend.set('steps', STEPS)
    await runs(frontend, String(TRACE), `live preview`)

    const subgraph = await frontend.intoSubgraph([TRACE, SAMPLER])
    await frontend.set('seed', 8) // else the sampler is taken from the server's cache
    await frontend.enter(subgraph)
    await runs(frontend, `${subgraph}:${TRACE}`, `live preview in a subgraph`)
    assert.deepEqual(frontend.faults, [])
    await frontend.close()
  })
}

// Runs the graph: the node must be sent a preview after the first step and after the last, and the graph on screen must show it.
async function runs(frontend, id, name) {
  const previews = await frontend.previews()
  await frontend.run()
  const own = (await previews()).filter((preview) => preview.node === id)
  assert.ok(own.length >= 2, `${own.length} previews for node ${id}`)
  for (const { size } of own) assert.deepEqual(size, SIZE)
  await frontend.screenshot(name)
  assert.deepEqual(await frontend.imageOf(TRACE), SIZE)
}
