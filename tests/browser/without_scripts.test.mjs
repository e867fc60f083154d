// With this pack's JavaScript blocked every node is still there, and what it queues and saves is the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MODES, open, OWN_SCRIPTS } from './page.mjs'

for (const mode of Object.keys(MODES)) {
  test(`without scripts, ${mode}`, async () => {
    const [usual, without] = [await made(mode), await made(mode, { blocked: OWN_SCRIPTS })]
    assert.ok(Object.keys(usual.prompt).length > 30, 'all nodes of the pack')
    assert.deepEqual(without, usual)
  })
}

async function made(mode, options) {
  const frontend = await open(mode, options)
  await frontend.addOwnNodes()
  const { nodes } = await frontend.workflow()
  const saved = Object.fromEntries(nodes.map(({ type, widgets_values }) => [type, widgets_values]))
  const prompt = await frontend.prompt()
  assert.deepEqual(frontend.faults, [])
  await frontend.close()
  return { prompt, saved }
}
