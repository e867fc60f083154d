// The axis of time: video frames across the width, grouped into latent frames, with seconds below.
import { svg } from './dom.js'

export const AXIS_HEIGHT = 30
const MARGIN = 12
const ROOM = { latent: 24, second: 36 }

/** Across which pixels the frames of a clip lie. */
export class Span {
  constructor(width, label, clip) {
    Object.assign(this, { left: label, right: Math.max(label + 1, width - MARGIN), clip })
  }

  /** The pixel of a video frame, which need not be whole, or lie in the clip. */
  x(frame) {
    return this.left + (frame / this.clip.frames) * (this.right - this.left)
  }

  frame(x) {
    return ((x - this.left) / (this.right - this.left)) * this.clip.frames
  }
}

/** Lines where latent frames begin, thinned out where they would merge. */
export function grid(span, top, bottom) {
  const path = latentTicks(span, 4).map((latent) => `M${span.x(span.clip.start(latent))} ${top}V${bottom}`)
  return svg('path', { class: 'grid', d: path.join('') })
}

/** The elements of the axis. */
export function axis(span) {
  const { clip } = span
  const latents = latentTicks(span, ROOM.latent).map((latent) => {
    const middle = (clip.start(latent) + clip.start(latent + 1)) / 2
    return svg('text', { class: 'faint middle', x: span.x(latent ? middle : 0.5), y: 11 }, `${latent}`)
  })
  const seconds = secondTicks(span).map((second) =>
    svg('text', { class: 'faint middle', x: span.x(second * clip.fps), y: 25 }, `${second}s`)
  )
  const names = ['latent frame', 'seconds'].map((name, i) =>
    svg('text', { class: 'faint end', x: span.left - 8, y: 11 + 14 * i }, name)
  )
  return [...names, ...latents, ...seconds]
}

/** Every how manyth latent frame has `room` pixels. */
function latentTicks({ clip, right, left }, room) {
  const wide = (clip.compression / clip.frames) * (right - left)
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((every) => every * wide >= room) ?? clip.latentFrames
  return Array.from({ length: Math.ceil(clip.latentFrames / step) }, (_, i) => i * step)
}

function secondTicks({ clip, right, left }) {
  const length = clip.frames / clip.fps
  const room = (ROOM.second / (right - left)) * length
  const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300].find((every) => every >= room) ?? length
  return Array.from({ length: 1 + Math.floor(length / step + 1e-9) }, (_, i) => Number((i * step).toFixed(2)))
}
