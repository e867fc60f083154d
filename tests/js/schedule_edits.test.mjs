// Edits of a schedule: what they change, and that they leave everything else as it was written.
import assert from 'node:assert/strict'
import test from 'node:test'
import { Clip } from '../../js/editor/clip.js'
import * as edits from '../../js/editor/schedule_edits.js'
import { addedPoint, movedPoint, pointedValue, steppedFrame, tracksOf } from '../../js/editor/schedule_model.js'
import { parseSchedule } from '../../js/editor/schedule_text.js'
import { chooser } from './chance.mjs'

const TEXT = '# who\r\n  "a cat: red"\t[linear] :0 = 0 , 02.0s=1.00,4s = 0   # why\r\n\r\nthe red  window # there\r\ndog:50%=1'
const CLIP = new Clip(21, 4, 16)
const SETTING = { clip: CLIP, interpolation: 'hold' }

test('a point is moved where it stands', () => {
  assert.equal(edits.setPoint(TEXT, 0, 1, { place: 2.5 }), TEXT.replace('02.0s', '2.5s'))
  assert.equal(edits.setPoint(TEXT, 0, 1, { value: 0.5 }), TEXT.replace('1.00', '0.5'))
  assert.equal(edits.setPoint(TEXT, 2, 0, { place: 25, value: 0 }), TEXT.replace('50%=1', '25%=0'))
  assert.equal(edits.setPoint(TEXT, 0, 1, { place: 2, value: 1 }), TEXT)
})

test('points come and go with their commas', () => {
  const added = (i, j, place, unit) => edits.addPoint(TEXT, i, j, { place, unit, value: 0.5 })
  assert.equal(added(0, 1, 1, 's'), TEXT.replace('02.0s', '1s=0.5, 02.0s'))
  assert.equal(added(0, 3, 5, 's'), TEXT.replace('4s = 0', '4s = 0, 5s=0.5'))
  assert.equal(added(1, 0, 12, ''), TEXT.replace('window #', 'window: 12=0.5 #'))
  assert.equal(edits.removePoint(TEXT, 0, 0), TEXT.replace('0 = 0 , ', ''))
  assert.equal(edits.removePoint(TEXT, 0, 1), TEXT.replace(' , 02.0s=1.00', ''))
  assert.equal(edits.removePoint(TEXT, 0, 2), TEXT.replace(',4s = 0', ''))
  assert.equal(edits.removePoint(TEXT, 2, 0), TEXT.replace(':50%=1', ''))
  assert.equal(edits.removePoint('cat [hold]: 1=0 # x', 0, 0), 'cat # x')
})

test('interpolations', () => {
  assert.equal(edits.setInterpolation(TEXT, 0, 'smooth'), TEXT.replace('linear', 'smooth'))
  assert.equal(edits.setInterpolation(TEXT, 0, null), TEXT.replace('\t[linear]', ''))
  assert.equal(edits.setInterpolation(TEXT, 2, 'hold'), TEXT.replace('dog', 'dog [hold]'))
  assert.equal(edits.setInterpolation(TEXT, 1, 'hold'), TEXT, 'a phrase without points has none')
})

test('phrases', () => {
  assert.equal(edits.addLine(TEXT, 'sun'), `${TEXT}\r\nsun`)
  assert.equal(edits.addLine('', 'a: "b"'), '"a: \\"b\\""')
  assert.equal(edits.addLine('cat\n', 'sun'), 'cat\nsun')
  assert.equal(edits.removeLine(TEXT, 1), TEXT.replace('the red  window # there\r\n', ''))
  assert.equal(edits.removeLine(TEXT, 2), TEXT.replace('\r\ndog:50%=1', ''))
  assert.equal(edits.removeLine('cat', 0), '')
  assert.equal(edits.setCurve(TEXT, 1, TEXT, 0), TEXT.replace('window #', 'window [linear]: 0=0, 2s=1, 4s=0 #'))
  assert.equal(edits.setCurve(TEXT, 0, 'sun'), TEXT.replace('\t[linear] :0 = 0 , 02.0s=1.00,4s = 0', ''))
})

test('a point snaps to latent frames, or finely to video frames', () => {
  const moved = (wanted, fine) => movedPoint('cat: 0=0, 2s=1, 4s=0', SETTING, 0, 1, wanted, fine)
  assert.equal(moved({ frame: 34.2 }), 'cat: 0=0, 2.0625s=1, 4s=0')
  assert.equal(moved({ frame: 34.2 }, true), 'cat: 0=0, 2.125s=1, 4s=0')
  assert.equal(moved({ frame: 31.6 }, true), 'cat: 0=0, 2s=1, 4s=0')
  assert.equal(moved({ value: 0.518 }), 'cat: 0=0, 2s=0.5, 4s=0')
  assert.equal(moved({ value: 0.518 }, true), 'cat: 0=0, 2s=0.52, 4s=0')
  assert.equal(moved({ frame: 100, value: 2 }), 'cat: 0=0, 3.8125s=1, 4s=0', 'it stays before the next one')
  assert.equal(moved({ frame: -5, value: -1 }), 'cat: 0=0, 0.0625s=0, 4s=0', 'and after the one before')
  assert.equal(movedPoint('cat: 3=0, 4=1, 5=0', SETTING, 0, 1, { frame: 90 }), 'cat: 3=0, 4=1, 5=0')
})

test('a new point takes the unit of its neighbours', () => {
  const added = (text, i, frame) => addedPoint(text, SETTING, i, { frame, value: 1 })
  assert.deepEqual(added('cat: 0=0, 50%=1', 0, 60), { text: 'cat: 0=0, 50%=1, 76.25%=1', point: 2 })
  assert.deepEqual(added('cat: 0=0, 50%=1', 0, 20), { text: 'cat: 0=0, 21=1, 50%=1', point: 1 })
  assert.deepEqual(added('cat\ndog: 50%=1', 0, 80), { text: 'cat: 100%=1\ndog: 50%=1', point: 0 })
  assert.deepEqual(added('cat', 0, 17), { text: 'cat: 1.0625s=1', point: 0 })
  assert.equal(added('cat: 3=0, 4=1', 0, 3.4), null, 'no room')
})

test('what the pointer and the keyboard mean', () => {
  assert.deepEqual([0.04, 0.3, 0.97].map((value) => pointedValue(value, false)), [0, 0.3, 1])
  assert.equal(pointedValue(0.97, true), 0.97)
  const step = (frame, by, fine = false) => steppedFrame(frame, by, CLIP, fine)
  assert.deepEqual([step(32, 1), step(32, -1), step(80, 1), step(0, -1), step(4.9998, 1)], [33, 29, 80, 0, 9])
  assert.deepEqual([step(32, 1, true), step(0.5, -1, true), step(4.9998, -1, true)], [33, 0, 4])
})

test('places that do not rise in this clip are said, not moved', () => {
  const [track] = tracksOf('cat: 1s=0, 10=1', SETTING)
  assert.match(track.problem, /10=1 does not come after 1s=0 in a clip of 81 frames at 16/)
})

test('whatever is moved stays readable, keeps its unit, hits its frame, and nothing else changes', () => {
  const chance = chooser(1)
  for (let round = 0; round < 300; round++) {
    const clip = new Clip(chance.whole(2, 40), chance.of([1, 4, 6, 8]), chance.of([8, 16, 23.976, 24, 30]))
    const unit = chance.of(['', 's', '%'])
    const frames = [...new Set(Array.from({ length: 4 }, () => chance.whole(0, clip.frames - 1)))].sort((a, b) => a - b)
    const points = frames.map((frame) => `${clip.place(frame, unit)}${unit}=${chance.whole(0, 1)}`)
    const text = `a # b\ncat: ${points.join(' , ')} # c\n\ndog: 1=1`
    const [j, fine] = [chance.whole(0, frames.length - 1), chance.of([true, false])]
    const moved = movedPoint(text, { clip, interpolation: 'hold' }, 1, j, { frame: chance.whole(-3, clip.frames + 3) }, fine)
    const places = tracksOf(moved, { clip, interpolation: 'hold' })[1].places
    places.forEach((place, k) => assert.ok(k === j || place === tracksOf(text, { clip, interpolation: 'hold' })[1].places[k]))
    assert.ok(Math.ceil(places[j] - 1e-9) - places[j] < 0.002, `${moved}: ${places[j]} reaches its frame`)
    assert.ok(places[j] > (places[j - 1] ?? -1) && places[j] < (places[j + 1] ?? clip.frames))
    assert.equal(parseSchedule(moved)[1].points[j].unit, unit)
    assert.deepEqual([0, 3].map((k) => moved.split('\n')[k]), ['a # b', 'dog: 1=1'])
  }
})
