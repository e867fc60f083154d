// Numbers that look random and are the same in every run.

/** mulberry32. */
export function chooser(seed) {
  let state = seed
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (least, most) => least + Math.floor(random() * (most - least + 1))
  return { whole, of: (list) => list[whole(0, list.length - 1)] }
}
