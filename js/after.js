/** Lets something happen after a method of one object, whoever else has hooked it. */
export function after(object, name, then) {
  const before = object[name]
  object[name] = function (...values) {
    const result = before?.apply(this, values)
    then()
    return result
  }
}
