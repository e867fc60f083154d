// The editor of schedules: a row for each phrase, its curve over the frames of the clip, and points to be dragged.
import { axis, AXIS_HEIGHT, Span } from './axis.js'
import { fitText, html } from './dom.js'
import { View } from './view.js'
import { tool } from './panel.js'
import { Rows, track } from './schedule_drawing.js'
import { addLine, removeLine, removePoint, setCurve, setInterpolation } from './schedule_edits.js'
import { addedPoint, movedPoint, pointedValue, steppedFrame, tracksOf, valueStep } from './schedule_model.js'
import { INTERPOLATIONS, parseSchedule, writtenLine } from './schedule_text.js'
import { rounded } from './text.js'

const REACH = 9 // pixels around a point that count as it
const STILL = { x: 3, y: 6 } // pixels that a hand may slip without meaning it
const WAY = 'How this phrase gets from point to point'
const HELP =
  'Click into a row: new point. Drag: move. Right click: remove. Shift: finer. Keys: Tab, arrows, +, Delete.'

export class ScheduleView extends View {
  static NAME = 'schedule'
  static WATCHED = ['fps', 'interpolation', 'frames', 'temporal_compression', 'schedule']
  static HEIGHT = 230

  constructor(port) {
    super(port, { label: 'Timeline of the schedule', help: HELP, height: ScheduleView.HEIGHT })
  }

  tools() {
    this.way = html('select', { 'aria-label': WAY, title: WAY })
    for (const name of ['default', ...INTERPOLATIONS]) this.way.append(html('option', { value: name }, name))
    this.way.addEventListener('change', () => {
      const name = this.way.value === 'default' ? null : this.way.value
      this.edit((text) => setInterpolation(text, this.chosen.i, name))
    })
    this.adds = tool('+ Phrase', 'Add a phrase of the prompt', () => this.addPhrase())
    this.removes = tool('Remove', 'Remove the chosen point or phrase', () => this.remove())
    return [this.adds, this.removes, this.way]
  }

  setting() {
    const { port } = this
    const samples = port.source('samples')
    const clip = samples ? port.foundClip(samples, port.value('temporal_compression')).clip : port.ownClip()
    return { clip, interpolation: port.value('interpolation') }
  }

  draw(setting) {
    const { clip } = setting
    this.panel.clip.textContent = clip.said()
    if (!this.text.trim()) return this.panel.cover(['No phrase yet. Write one above, or press “+ Phrase”.'])
    this.tracks = tracksOf(this.text, setting)
    const { width, height } = this.panel.size
    const label = Math.min(130, Math.max(72, width * 0.24))
    this.span = new Span(width, label, clip)
    this.rows = new Rows(this.tracks.length, height)
    const { i: chosen, j } = this.chosen ?? {}
    const drawn = this.tracks.map((one, i) => track(one, i, this.rows, this.span, chosen === i ? j : undefined))
    this.panel.show(drawn, axis(this.span), this.rows.total, AXIS_HEIGHT)
    for (const text of this.panel.picture.querySelectorAll('.label')) fitText(text, label - 16)
  }

  reset() {
    this.tracks = []
  }

  update(editable) {
    const track = this.tracks[this.chosen?.i]
    this.adds.disabled = !editable
    this.removes.disabled = !editable || !track
    this.removes.textContent = track && this.chosen.j >= 0 ? 'Remove point' : 'Remove phrase'
    this.way.disabled = !editable || !track?.points.length
    this.way.value = track?.line.interpolation ?? 'default'
    const problem = this.tracks.find((track) => track.problem)?.problem
    this.panel.say(problem ?? this.said(), Boolean(problem))
  }

  /** The chosen point or phrase in words. */
  said() {
    const track = this.tracks[this.chosen?.i]
    if (!track) return ''
    const point = track.points[this.chosen.j]
    if (!point) return `${track.phrase}: ${track.points.length ? `${track.points.length} points` : 'wanted throughout'}`
    const place = track.places[this.chosen.j]
    const { clip } = this.span
    const latent = `latent frame ${clip.latent(Math.ceil(place - 0.01))}`
    const where = place > clip.frames - 1 ? 'after the last frame, never reached' : latent
    return `${track.phrase}: ${point.text} (video frame ${rounded(place, 2)}, ${rounded(place / clip.fps, 3)} s, ${where})`
  }

  reveal() {
    const { stage } = this.panel
    const [top, bottom] = [this.rows.top(this.chosen.i), this.rows.top(this.chosen.i + 1)]
    if (top < stage.scrollTop) stage.scrollTop = top
    if (bottom > stage.scrollTop + stage.clientHeight) stage.scrollTop = bottom - stage.clientHeight
  }

  // What the pointer does.

  /** The point under the pointer, or the track with j -1. */
  hit({ x, y }) {
    const { i } = this.rows.at(y)
    if (!this.tracks[i]) return null
    const { places, points } = this.tracks[i]
    const last = this.span.clip.frames
    const far = points.map(({ value }, j) => Math.hypot(this.span.x(Math.min(places[j], last)) - x, this.rows.y(i, value) - y))
    const nearest = far.indexOf(Math.min(...far))
    return { i, j: far[nearest] <= REACH ? nearest : -1 }
  }

  press(at, fine) {
    const hit = this.hit(at)
    this.chosen = hit
    if (!hit || hit.j >= 0 || at.x < this.span.left || this.tracks[hit.i].problem) return
    const wanted = { frame: this.span.frame(at.x), value: pointedValue(this.rows.at(at.y).value, fine) }
    const added = addedPoint(this.text, this.read, hit.i, wanted, fine)
    if (!added) return
    this.chosen = { i: hit.i, j: added.point }
    this.edit(() => added.text)
  }

  /** The text with the chosen point under the pointer; `from` and `text` are of the moment it was taken. */
  dragged(text, from, at, fine) {
    if (!(this.chosen?.j >= 0) || this.tracks[this.chosen.i].problem) return text
    const { i, j } = this.chosen
    const value = 1 - (at.y - this.rows.y(i, 1)) / (this.rows.y(i, 0) - this.rows.y(i, 1))
    const still = { x: Math.abs(at.x - from.x) < STILL.x, y: Math.abs(at.y - from.y) < STILL.y }
    const wanted = { frame: still.x ? undefined : this.span.frame(at.x), value: still.y ? undefined : pointedValue(value, fine) }
    return movedPoint(text, this.read, i, j, wanted, fine)
  }

  menu(at) {
    const hit = this.hit(at)
    if (!(hit?.j >= 0)) return
    this.chosen = hit
    this.remove()
  }

  // What the keyboard does.

  keys = {
    ArrowLeft: (fine) => this.step(-1, 0, fine),
    ArrowRight: (fine) => this.step(1, 0, fine),
    ArrowUp: (fine) => this.step(0, 1, fine),
    ArrowDown: (fine) => this.step(0, -1, fine),
    Insert: () => this.insert(),
    '+': () => this.insert(), // there is no Insert on many keyboards
    Delete: () => this.remove(),
    Backspace: () => this.remove()
  }

  /** What Tab goes through: every track, then its points. */
  stops() {
    return this.tracks.flatMap(({ points }, i) => [{ i, j: -1 }, ...points.map((_, j) => ({ i, j }))])
  }

  step(right, up, fine) {
    const { i, j } = this.chosen ?? {}
    if (!(j >= 0) || this.tracks[i].problem) return
    const [place, { value }] = [this.tracks[i].places[j], this.tracks[i].points[j]]
    const frame = right ? steppedFrame(place, right, this.read.clip, fine) : undefined
    this.edit((text) => movedPoint(text, this.read, i, j, { frame, value: up ? value + up * valueStep(fine) : undefined }, fine))
  }

  /** A point half-way to the next one, at the value of the chosen one. */
  insert() {
    const { i, j } = this.chosen ?? {}
    const track = this.tracks[i]
    if (!track || track.problem) return
    const start = j >= 0 ? track.places[j] : -1
    const end = track.places[j + 1] ?? this.read.clip.frames - 1
    const wanted = { frame: (start + end) / 2, value: track.points[Math.max(j, 0)]?.value ?? 1 }
    const added = addedPoint(this.text, this.read, i, wanted) ?? addedPoint(this.text, this.read, i, wanted, true)
    if (!added) return
    this.chosen = { i, j: added.point }
    this.edit(() => added.text)
  }

  remove() {
    const { i, j } = this.chosen ?? {}
    if (!this.tracks[i]) return
    this.chosen = j > 0 ? { i, j: j - 1 } : j === 0 ? { i, j: this.tracks[i].points.length > 1 ? 0 : -1 } : null
    this.edit((text) => (j >= 0 ? removePoint(text, i, j) : removeLine(text, i)))
  }

  async addPhrase() {
    const phrase = (await this.port.ask('Add a phrase', 'A word or phrase, as it stands in the prompt:'))?.trim()
    if (!phrase) return
    const changed = addLine(this.text, phrase)
    const i = parseSchedule(changed).length - 1
    this.chosen = { i, j: -1 }
    this.edit(() => changed)
  }

  copied() {
    return this.tracks[this.chosen?.i] ? writtenLine(this.tracks[this.chosen.i].line) : ''
  }

  pasted(words) {
    const { i } = this.chosen ?? {}
    return Boolean(this.tracks[i]) && this.edit((text) => setCurve(text, i, words))
  }
}
