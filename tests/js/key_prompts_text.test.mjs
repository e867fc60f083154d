// The editor's grammar of key prompts, and where it places them, against the vectors that Python is held to.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { Clip } from '../../js/editor/clip.js'
import { keyPlaces, mixture } from '../../js/editor/key_places.js'
import { parseKeyPrompts, writtenPlace, writtenText } from '../../js/editor/key_prompts_text.js'

const { good, bad } = JSON.parse(readFileSync(new URL('../key_prompt_vectors.json', import.meta.url), 'utf8'))

const reading = ({ text, place }) => ({ text, place: place && [place.value, place.unit] })
const written = ({ text, place }) => (place ? `${writtenPlace(place)}: ` : '') + writtenText(text, place)

function near(came, expected) {
  assert.equal(came.length, expected.length)
  came.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-8, `${i}: ${value}, not ${expected[i]}`))
}

good.forEach((vector, i) => {
  test(`good ${i}: ${JSON.stringify(vector.text)}`, () => {
    const prompts = parseKeyPrompts(vector.text)
    assert.deepEqual(prompts.map(reading), vector.prompts)
    assert.equal(prompts.map(written).join('\n'), vector.formatted)
    const places = keyPlaces(prompts, new Clip(vector.latent_frames, vector.compression, vector.fps))
    near(places, vector.places)
    vector.read.forEach(([first, share], latent) => {
      const read = mixture(latent, places, vector.transition)
      assert.equal(read.first, first)
      near([read.share], [share])
    })
  })

  test(`places in the text ${i}`, () => {
    for (const { text, textStart, place, start, content } of parseKeyPrompts(vector.text)) {
      assert.equal(vector.text.slice(start, start + content.length), content)
      if (place) assert.equal(Number(vector.text.slice(place.start, place.end)), place.value)
      if (place) assert.ok(vector.text.startsWith(text, textStart))
    }
  })
})

bad.forEach(({ text, line }, i) => {
  test(`bad ${i}: ${JSON.stringify(text)}`, () => assert.throws(() => parseKeyPrompts(text), { name: 'Error', row: line }))
})
