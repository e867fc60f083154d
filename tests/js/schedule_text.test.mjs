// The editor's grammar of schedules against the vectors that Python is held to.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { Clip } from '../../js/editor/clip.js'
import { curve, mask } from '../../js/editor/curves.js'
import { parseSchedule, writtenLine } from '../../js/editor/schedule_text.js'

const { good, bad } = JSON.parse(readFileSync(new URL('../schedule_vectors.json', import.meta.url), 'utf8'))

const reading = ({ phrase, interpolation, points }) => ({
  phrase,
  interpolation,
  points: points.map(({ place, unit, value }) => [place, unit, value])
})

function near(came, expected, tolerance) {
  assert.equal(came.length, expected.length)
  came.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= tolerance, `${i}: ${value}, not ${expected[i]}`))
}

good.forEach((vector, i) => {
  test(`good ${i}: ${JSON.stringify(vector.text)}`, () => {
    const lines = parseSchedule(vector.text)
    assert.deepEqual(lines.map(reading), vector.lines)
    assert.equal(lines.map(writtenLine).join('\n'), vector.formatted)
    const clip = new Clip(vector.latent_frames, vector.compression, vector.fps)
    lines.forEach((line, k) => {
      const places = line.points.map((point) => clip.frame(point))
      const values = curve(line.points, places, line.interpolation ?? vector.interpolation, clip)
      near(values, vector.curves[k], 1e-8)
      near(mask(values, clip), vector.masks[k], 1e-6)
    })
  })

  test(`places in the text ${i}`, () => {
    for (const { start, content, points, head, bracket } of parseSchedule(vector.text)) {
      for (const { text, ...point } of points) {
        assert.equal(Number(vector.text.slice(point.start, point.placeEnd)), point.place)
        assert.equal(Number(vector.text.slice(point.valueStart, point.end)), point.value)
      }
      assert.match(vector.text.slice(head), /^[ \t]*([:[#\r\n]|$)/)
      if (bracket) assert.match(vector.text.slice(...bracket), /^\[\w+\]$/)
      assert.equal(vector.text.slice(start, start + content.length), content)
    }
  })
})

bad.forEach(({ text, line, column }, i) => {
  test(`bad ${i}: ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseSchedule(text), { name: 'Error', row: line, column })
  })
})
