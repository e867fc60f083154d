// Edits of key prompts: what they change, and that they leave everything else as it was written.
import assert from 'node:assert/strict'
import test from 'node:test'
import { Clip } from '../../js/editor/clip.js'
import { latentOfPixel, latentPlace, pixelOfLatent, valueOf } from '../../js/editor/key_places.js'
import { setText } from '../../js/editor/key_prompts_edits.js'
import * as model from '../../js/editor/key_prompts_model.js'
import { parseKeyPrompts } from '../../js/editor/key_prompts_text.js'
import { chooser } from './chance.mjs'

const { addedPrompt, clipFor, keysOf, movedPrompt, spread, steppedPlace, withoutPrompt } = model

const SETTING = { clip: new Clip(21, 4, 16), transition: 0.25 }
const PLACED = '0s: a lake\r\n\r\n  02.50S :  a thaw \r\n4s: water'

test('a prompt is moved where it stands', () => {
  assert.equal(movedPrompt(PLACED, SETTING, 1, 8.2), PLACED.replace('02.50', '1.9'))
  assert.equal(movedPrompt(PLACED, SETTING, 1, 8.2, true), PLACED.replace('02.50', '1.97'))
  assert.equal(movedPrompt('f0: a\nF 8: b', SETTING, 1, 5), 'f0: a\nF 19: b')
  assert.equal(movedPrompt('0%: a\n50%: b', SETTING, 1, 12), '0%: a\n60%: b')
})

test('a prompt stays between its neighbours and in the video', () => {
  const [first, , last] = keysOf(PLACED, SETTING).prompts
  const before = keysOf(movedPrompt(PLACED, SETTING, 1, -9), SETTING).prompts[1].at
  const behind = keysOf(movedPrompt(PLACED, SETTING, 1, 99), SETTING).prompts[1].at
  assert.ok(before > first.at && before < 1 && behind < last.at && behind > last.at - 1)
  assert.ok(Math.abs(keysOf(movedPrompt(PLACED, SETTING, 2, 99), SETTING).prompts[2].at - 20) <= 1 / 8)
})

test('prompts without places get percents when one is moved', () => {
  assert.equal(movedPrompt('a\n\n b\nc', SETTING, 1, 5), '0%: a\n\n 25%: b\n100%: c')
  assert.equal(spread('\\2: x\ny\nz'), '0%: 2: x\n50%: y\n100%: z')
  assert.equal(movedPrompt('alone', SETTING, 0, 5), 'alone')
})

test('a new prompt is a copy half-way to the next', () => {
  assert.deepEqual(addedPrompt('0%: a\n50%: b\n100%: c', SETTING, 0), { text: '0%: a\n25%: a\n50%: b\n100%: c', prompt: 1 })
  assert.deepEqual(addedPrompt('0%: a\n50%: b', SETTING, 1), { text: '0%: a\n50%: b\n75%: b', prompt: 2 })
  assert.deepEqual(addedPrompt('0%: a\n100%: b', SETTING, 1), { text: '0%: a\n50%: b\n100%: b', prompt: 1 })
  assert.deepEqual(addedPrompt('\\2: x\r\ny', SETTING, 0), { text: '\\2: x\r\n\\2: x\r\ny', prompt: 1 })
  assert.equal(addedPrompt('f0: a\nf0.4: b', { ...SETTING, clip: new Clip(1, 4, 16) }, 0), null, 'no room')
})

test('words are changed and prompts removed', () => {
  assert.equal(setText(PLACED, 1, 'two\nlines '), PLACED.replace('a thaw ', 'two lines'))
  assert.equal(setText('a\nb', 1, '3s: the end'), 'a\n\\3s: the end')
  assert.equal(setText('\\3s: the end', 0, 'b'), 'b')
  assert.equal(setText('1s: a', 0, '3s: the end'), '1s: 3s: the end')
  assert.equal(withoutPrompt(PLACED, 1), PLACED.replace('  02.50S :  a thaw \r\n', ''))
  assert.equal(withoutPrompt('a', 0), 'a', 'the only one stays')
})

test('the keyboard always gets on', () => {
  for (const unit of ['s', '%', 'f']) {
    for (const fine of [false, true]) {
      let text = unit === 'f' ? 'f0: a' : `0${unit}: a`
      const at = () => keysOf(text, SETTING).prompts[0].at
      const step = (by) => (text = movedPrompt(text, SETTING, 0, steppedPlace(at(), by, fine), fine))
      for (let k = 1; k <= 12; k++) assert.ok(Math.abs(step(1) && at() - k * (fine ? 0.25 : 1)) <= 1 / 8, `${text}, step ${k}`)
      for (let k = 11; k >= 0; k--) assert.ok(Math.abs(step(-1) && at() - k * (fine ? 0.25 : 1)) <= 1 / 8, `${text}, back ${k}`)
    }
  }
})

test('what was placed past the end is known', () => {
  assert.deepEqual(keysOf('0s: a\n9s: b', SETTING).prompts.map(({ at, late }) => [at, late]), [[0, false], [20, true]])
})

test('a clip of unknown length is long enough', () => {
  const frames = (text) => clipFor(text, SETTING.clip).frames
  assert.deepEqual(['a\nb', '0s: a\n5s: b', '0s: a\n9s: b', 'f0: a\nf200: b', '100%: a'].map(frames), [81, 81, 145, 201, 81])
})

test('places and video frames are each other’s inverse', () => {
  for (const compression of [1, 4, 6, 8]) {
    const clip = new Clip(9, compression, 24)
    for (let latent = 0; latent <= 8; latent += 0.125) {
      assert.ok(Math.abs(latentOfPixel(pixelOfLatent(latent, clip), clip) - latent) < 1e-9)
      for (const unit of ['frame', 'seconds', 'percent']) {
        assert.ok(Math.abs(latentPlace({ value: valueOf(latent, unit, clip), unit }, clip) - latent) <= 1 / 8 + 1e-9)
      }
    }
  }
})

test('whatever is moved stays readable, and keeps its unit and its words', () => {
  const chance = chooser(2)
  for (let round = 0; round < 300; round++) {
    const setting = { clip: new Clip(chance.whole(1, 40), chance.of([1, 4, 8]), chance.of([8, 16, 24])), transition: 0.25 }
    const values = [...new Set(Array.from({ length: 4 }, () => chance.whole(0, 100)))].sort((a, b) => a - b)
    const write = chance.of([(value) => `${value / 20}s`, (value) => `${value}%`, (value) => `f${value}`])
    const text = values.map((value, i) => `${write(value)}: prompt ${i}`).join('\n\n')
    const [i, to] = [chance.whole(0, values.length - 1), chance.whole(-2, setting.clip.latentFrames + 1)]
    const fine = chance.of([true, false])
    const [before, after] = [text, movedPrompt(text, setting, i, to, fine)].map(parseKeyPrompts)
    const rest = (prompts) => prompts.map(({ text, place }, k) => [text, place.unit, k === i || place.written])
    assert.deepEqual(rest(after), rest(before))
  }
})
