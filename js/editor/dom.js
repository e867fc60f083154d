// Elements made in one call.

const SVG = 'http://www.w3.org/2000/svg'

/** An HTML element with attributes and children; null and false children are left out. */
export const html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children)

/** An SVG element with attributes and children; null and false children are left out. */
export const svg = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children)

/** Text in an SVG, which gets an ellipsis and a tooltip where it is wider than `width`; it has to be on the page already. */
export function fitText(element, width) {
  const whole = element.textContent
  let [least, most] = [0, whole.length]
  if (element.getComputedTextLength() <= width) return
  while (least < most) {
    const middle = Math.ceil((least + most) / 2)
    element.textContent = `${whole.slice(0, middle)}…`
    if (element.getComputedTextLength() <= width) least = middle
    else most = middle - 1
  }
  element.textContent = least ? `${whole.slice(0, least)}…` : ''
  element.append(svg('title', {}, whole))
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}
