// Frames, latent frames and seconds of a clip, as py/prompts/curves.py counts them.

import { rounded } from './text.js'

const PLACES_A_FRAME = 1e6

/** Latent frame 0 holds video frame 0, each later one the next `compression` video frames. */
export class Clip {
  constructor(latentFrames, compression, fps) {
    Object.assign(this, { latentFrames, compression, fps })
  }

  /** The clip of at least so many video frames. */
  static of(frames, compression, fps) {
    return new Clip(1 + Math.ceil((frames - 1) / compression), compression, fps)
  }

  get frames() {
    return 1 + (this.latentFrames - 1) * this.compression
  }

  /** Its length in words. */
  said(remark = '') {
    return `${this.frames} frames${remark}, ${this.latentFrames} latent, ${rounded(this.frames / this.fps, 2)} s`
  }

  /** The first video frame of a latent frame. */
  start(latent) {
    return latent && 1 + (latent - 1) * this.compression
  }

  /** The latent frame that holds a video frame. */
  latent(frame) {
    return frame < 1 ? 0 : Math.min(this.latentFrames - 1, 1 + Math.floor((frame - 1) / this.compression))
  }

  /** Where edits snap to: the first video frame of every latent frame, and the last frame of all. */
  get borders() {
    const starts = Array.from({ length: this.latentFrames }, (_, latent) => this.start(latent))
    return [...new Set([...starts, this.frames - 1])]
  }

  /** How many video frames a unit of places is. */
  scale(unit) {
    return { '': 1, s: this.fps, '%': (this.frames - 1) / 100 }[unit]
  }

  /** A place in video frames. */
  frame({ place, unit }) {
    return Math.floor(place * this.scale(unit) * PLACES_A_FRAME + 0.5) / PLACES_A_FRAME
  }

  /**
   * The shortest number of at most six decimals that lies in [frame - tolerance, frame] when read as a place. Not after
   * the frame: a point just after it would miss it.
   */
  place(frame, unit, tolerance = 0.001) {
    const scale = this.scale(unit)
    if (!scale) return 0
    for (let decimals = 0; decimals < 6; decimals++) {
      const place = Math.floor((frame / scale) * 10 ** decimals + 1e-6) / 10 ** decimals
      const off = frame - this.frame({ place, unit })
      if (off >= 0 && off <= tolerance) return place
    }
    return Math.floor((frame / scale) * 1e6) / 1e6
  }
}
